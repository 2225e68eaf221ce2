"""The results of a study: its best trial beside the baseline, what several seeds say of it, and what pruning spared."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from modelyard.core.config import RENAMED
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.params.study import EPOCHS
from modelyard.tuning.retries import baseline_trials, counted_trials, enqueued_values

NOTHING_TO_CONFIRM = "No trial besides the baseline has finished. Run more trials or widen a range."
MAY_BE_CHANCE = "The trial with the best mean is not better than the baseline by more than chance (p < 0.05)."
SEED_CHANGES_NOTHING = "The seed changes nothing here, so seeds do not show what is due to chance."
CONFIRMATION = "confirmation"  # the attribute of a study that holds what replication.confirmation found
READ_OFF = "epochs_read_off"  # the attribute of a trial with the best number of epochs on its learning curve
DIGITS = 6  # after the point, of a difference between means of metrics in single precision
CANDIDATES = 3  # the trials that are confirmed: the best one alone was partly lucky

STATE_NAMES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class StudyResults:
    """The trials of a study, read once: Optuna reads the storage again on each access.

    Attributes:
        name: the study's name in its storage.
        experiment: the experiment that it varies.
        metric: the score's name.
        space: the search space, as `Plan.space` has it.
        maximize: whether a higher score is better.
        trials: all trials, by their numbers.
        confirmation: its best trials and its baseline over seeds (see replication.confirmation); None before that.
        front: of a study of several metrics, the finished trials that no other beats in all of them.
    """

    name: str
    experiment: str
    metric: str
    space: dict[str, Any]
    maximize: bool
    trials: list[FrozenTrial]
    confirmation: dict[str, Any] | None = None
    front: Sequence[FrozenTrial] = ()

    @property
    def entry(self) -> str:
        """The study's name in params.yaml: the storage calls its second study `<entry>-2`."""
        return self.name.partition("-")[0]

    @property
    def search_space(self) -> dict[str, dict[str, Any]]:
        """The range or the choices of each dotted key."""
        return dict(self.space["search_space"])

    @property
    def sizes(self) -> tuple[str, ...]:
        """What is minimized beside the score: the further values of a trial."""
        return tuple(self.space.get("metrics", ()))[1:]

    @cached_property
    def finished(self) -> list[FrozenTrial]:
        """The trials that ran to their end and have a score."""
        return self._in_state(TrialState.COMPLETE)

    @cached_property
    def pruned(self) -> list[FrozenTrial]:
        """The trials that the pruner stopped."""
        return self._in_state(TrialState.PRUNED)

    @cached_property
    def failed(self) -> list[FrozenTrial]:
        """The trials that raised, ran out of memory or were killed."""
        return self._in_state(TrialState.FAIL)

    @property
    def ended(self) -> list[FrozenTrial]:
        """The trials that have ended, one way or the other, and were not retried."""
        return [trial for trial in counted_trials(self.trials) if trial.state.is_finished()]

    @property
    def stagnation_trials(self) -> int:
        """How many trials have finished or were pruned since the best one."""
        scored = [trial for trial in self.ended if trial.state is not TrialState.FAIL]
        return sum(trial.number > self.best.number for trial in scored) if self.best else 0

    @cached_property
    def scores(self) -> list[float]:
        """The scores after each epoch, or fold, of all trials, sorted."""
        return sorted(value for trial in self.trials for value in trial.intermediate_values.values())

    @cached_property
    def sampled(self) -> list[str]:
        """The settings that every finished trial was given, sorted: all but a number of epochs that is read off."""
        return sorted(set.intersection(*(set(trial.params) for trial in self.finished)))

    @property
    def repeats(self) -> int:
        """How many trials got the values of a finished one and took over its score."""
        return sum("repeats" in trial.user_attrs for trial in self.trials)

    @property
    def counts(self) -> dict[str, int]:
        """The number of trials in each state that occurs."""
        counts = {name: len(self._in_state(state)) for state, name in STATE_NAMES.items()}
        return {name: count for name, count in counts.items() if count}

    @cached_property
    def baseline(self) -> FrozenTrial | None:
        """The first finished trial with the values of trial 0, the experiment unchanged; a killed one is retried."""
        values = enqueued_values(self.trials[0]) if self.trials else {}
        return next((trial for trial in self.finished if trial.params == values), None)

    @property
    def why_no_baseline(self) -> str:
        """Why no trial with the values of trial 0 has finished, as the end of a sentence; only where none has."""
        last = self.last_baseline
        if last.state is TrialState.FAIL:
            return f"the baseline, trial {last.number}, has failed ({reason(last)})"
        return "the baseline, trial 0, has not finished"

    @property
    def last_baseline(self) -> FrozenTrial:
        """The last trial that was enqueued with the values of trial 0, in any state; only where there are trials."""
        return baseline_trials(self.trials)[-1]

    @cached_property
    def best(self) -> FrozenTrial | None:
        """The finished trial with the best score; of equal ones the earliest."""
        return min(self.finished, key=self.rank, default=None)

    def rank(self, trial: FrozenTrial) -> tuple[float, int]:
        """Return the sort key of a finished trial, the best first."""
        return (-score(trial) if self.maximize else score(trial)), trial.number

    @cached_property
    def candidates(self) -> list[FrozenTrial]:
        """The best finished trials with different values, without the baseline: what is to be confirmed."""
        found: list[FrozenTrial] = []
        known = [self.settings_of(self.baseline)] if self.baseline else []
        for trial in sorted(self.finished, key=self.rank):
            settings = self.settings_of(trial)
            if settings not in known:
                found.append(trial)
                known.append(settings)
            if len(found) == CANDIDATES:
                break
        return found

    @property
    def is_confirmed(self) -> bool:
        """Whether the confirmation is of the trials that are the best now."""
        confirmed = {each["trial"] for each in self.confirmation["candidates"]} if self.confirmation else set()
        return bool(confirmed) and confirmed == {trial.number for trial in self.candidates}

    @property
    def is_better_over_seeds(self) -> bool:
        """Whether the mean of the best candidate is better than the baseline's, if only by chance."""
        if self.confirmation is None:
            return False
        best, baseline = (each["mean"] for each in (self.confirmation["candidates"][0], self.confirmation["baseline"]))
        return bool(best > baseline if self.maximize else best < baseline)

    @property
    def better_tuned(self) -> dict[str, Any] | None:
        """The tuned experiment that params.yaml had, if its mean over seeds is at least that of the best candidate."""
        if not self.confirmation or "tuned" not in self.confirmation:
            return None
        tuned, best = self.confirmation["tuned"], self.confirmation["candidates"][0]
        is_better = tuned["mean"] >= best["mean"] if self.maximize else tuned["mean"] <= best["mean"]
        return dict(tuned) if is_better else None

    @property
    def chance_remark(self) -> str:
        """What to say unless the best candidate beat the baseline over seeds by more than chance; "" if it did."""
        p_value = self.confirmation["candidates"][0]["p_value"] if self.confirmation else 1.0
        if math.isnan(p_value):
            return SEED_CHANGES_NOTHING
        return "" if p_value < 1 - CONFIDENCE else MAY_BE_CHANCE

    @property
    def confirmed_gain(self) -> dict[str, float] | None:
        """By how much the best candidate's score is higher than the baseline's over seeds: mean, sd, low, high."""
        return dict(self.confirmation["candidates"][0]["difference"]) if self.confirmation else None

    @property
    def gain(self) -> float | None:
        """How much better than the baseline the best trial is, with one seed; None before both have finished.

        It is never negative, and too large on average, because the best trial was partly lucky.
        """
        if self.best is None or self.baseline is None:
            return None
        return abs(score(self.best) - score(self.baseline))

    @property
    def epochs_run(self) -> int:
        """The epochs of all trials together."""
        return sum(map(epochs_run, self.trials))

    @property
    def epochs_spared(self) -> int:
        """The epochs that pruned trials did not run."""
        return sum(map(epochs_spared, self.pruned))

    @property
    def epochs_repeated(self) -> int:
        """The epochs of finished trials whose values came again and were not trained again."""
        first = (self.trials[trial.user_attrs["repeats"]] for trial in self.trials if "repeats" in trial.user_attrs)
        return sum(map(epochs_run, first))

    @property
    def seconds(self) -> float:
        """The durations of all trials added up, however many ran at once."""
        return sum(map(seconds, self.trials))

    @property
    def wall_seconds(self) -> float:
        """The time from the first trial's start to the last one's end, with all pauses of the search."""
        started = [trial.datetime_start for trial in self.trials if trial.datetime_start]
        ended = [trial.datetime_complete for trial in self.trials if trial.datetime_complete]
        return (max(ended) - min(started)).total_seconds() if started and ended else 0.0

    @property
    def seconds_spared(self) -> float:
        """An estimate of the time of the epochs that were not run, from those of the same trial that were."""
        return sum(seconds(trial) * epochs_spared(trial) / max(1, epochs_run(trial)) for trial in self.pruned)

    def settings_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """Return a trial's values as params.yaml has them, by dotted key: Optuna stores a list as its JSON.

        A number of epochs that was read off the learning curve is among them; a pruned trial has none.
        """
        read_off = {EPOCHS: trial.user_attrs[READ_OFF]} if READ_OFF in trial.user_attrs else {}
        return {key: self._setting(key, value) for key, value in trial.params.items()} | read_off

    def _setting(self, key: str, value: Any) -> Any:
        choices = self.search_space[key].get("choices", ())
        return next((choice for choice in choices if value in (choice, json.dumps(choice))), value)

    def _in_state(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is state]


def read_study(study: Study) -> StudyResults:
    """Read a study that `modelyard tune` created, also under names of earlier versions."""
    attributes, trials = study.user_attrs, study.get_trials()
    front = study.best_trials if len(study.directions) > 1 else ()
    return StudyResults(
        name=study.study_name,
        experiment=attributes["experiment"],
        metric=attributes["metric"],
        space={RENAMED.get(key, key): value for key, value in attributes["space"].items()},
        maximize=study.directions[0] is StudyDirection.MAXIMIZE,
        trials=trials,
        confirmation=attributes.get(CONFIRMATION),
        front=[trials[trial.number] for trial in front if "repeats" not in trial.user_attrs],
    )


def score(trial: FrozenTrial) -> float:
    """Return the score of a finished trial."""
    return float(trial.values[0])


def epochs_run(trial: FrozenTrial) -> int:
    """Return how many epochs a trial ran; of a killed one, those that it reported."""
    return int(trial.user_attrs.get("epochs", len(trial.intermediate_values)))


def epochs_spared(trial: FrozenTrial) -> int:
    """Return how many of its planned epochs a pruned trial did not run; 0 of one that ended in another way."""
    if trial.state is not TrialState.PRUNED:
        return 0
    return max(0, int(trial.user_attrs.get("epochs_planned", 0)) - epochs_run(trial))


def seconds(trial: FrozenTrial) -> float:
    """Return how long a trial took; 0 for a killed one, which could not store it."""
    return float(trial.user_attrs.get("seconds", 0.0))


def reason(trial: FrozenTrial) -> str:
    """Return why a trial failed, in one line."""
    return str(trial.user_attrs.get("reason", "its process was killed")).partition("\n")[0]


def confirmation_rows(confirmation: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return the cells of a confirmation as a table: trial, mean, difference from the baseline, p value."""
    rows = [_confirmation_row(str(each["trial"]), each) for each in confirmation["candidates"]]
    if tuned := confirmation.get("tuned"):
        rows.append(_confirmation_row(tuned["experiment"], tuned))
    return [*rows, ("baseline", format_value(confirmation["baseline"]["mean"]), "", "")]


def _confirmation_row(name: str, entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    if math.isnan(entry["mean"]):
        return name, "diverged", "", ""
    difference = "{mean:+.3g} ({low:+.3g} to {high:+.3g})".format(**_rounded(entry["difference"]))
    p_value = entry.get("p_value", math.nan)  # the tuned experiment has none
    return name, format_value(entry["mean"]), difference, "" if math.isnan(p_value) else f"{p_value:.2g}"


def _rounded(difference: Mapping[str, float]) -> dict[str, float]:
    """Without what single precision leaves of a difference of equal means."""
    return {key: round(value, DIGITS) + 0.0 for key, value in difference.items()}


def format_value(value: Any) -> str:
    """Return a value as tables show it: floats with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
