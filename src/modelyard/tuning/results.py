"""What a study found: its best trial beside the present experiment, and what pruning spared."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

WORDS = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class StudyResults:
    """The trials of a study, read once: a study's storage answers anew each time that it is asked."""

    study: str
    experiment: str
    metric: str
    space: dict[str, Any]
    up: bool
    trials: list[FrozenTrial]

    @property
    def entry(self) -> str:
        """The study's name in params.yaml: a storage calls the second one of it `<entry>-2`."""
        return self.study.partition("-")[0]

    @property
    def vary(self) -> dict[str, dict[str, Any]]:
        """What each dotted key may be: a range or choices."""
        return self.space["vary"]

    @cached_property
    def finished(self) -> list[FrozenTrial]:
        """The trials that ran to their end and have a score."""
        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    @cached_property
    def pruned(self) -> list[FrozenTrial]:
        """The trials that were given up half-way."""
        return [trial for trial in self.trials if trial.state is TrialState.PRUNED]

    @property
    def repeats(self) -> int:
        """How many trials were given values that had a score already, and took it over."""
        return sum("repeats" in trial.user_attrs for trial in self.trials)

    @cached_property
    def failed(self) -> list[FrozenTrial]:
        """The trials that raised, ran out of memory or were killed."""
        return [trial for trial in self.trials if trial.state is TrialState.FAIL]

    @property
    def counts(self) -> dict[str, int]:
        """How many trials there are of each state that occurs."""
        counts = {word: sum(trial.state is state for trial in self.trials) for state, word in WORDS.items()}
        return {word: count for word, count in counts.items() if count}

    @cached_property
    def present(self) -> FrozenTrial | None:
        """The first finished trial with the values of trial 0, the experiment as it is: a killed one is tried again."""
        values = _values_given(self.trials[0]) if self.trials else {}
        return next((trial for trial in self.finished if trial.params == values), None)

    @cached_property
    def best(self) -> FrozenTrial | None:
        """The finished trial with the best score; of equals the earliest, so that nothing is changed for nothing."""
        return min(self.finished, key=self.rank, default=None)

    def rank(self, trial: FrozenTrial) -> tuple[float, int]:
        """What to sort trials with a score by, the best first."""
        return (-trial.value if self.up else trial.value), trial.number

    @property
    def gain(self) -> float | None:
        """How much better than the present experiment the best trial is, never negative; none before both finished."""
        if self.best is None or self.present is None:
            return None
        return abs(self.best.value - self.present.value)

    @property
    def epochs_run(self) -> int:
        """The epochs of all trials together."""
        return sum(map(epochs_run, self.trials))

    @property
    def epochs_spared(self) -> int:
        """The epochs that pruned trials did not run."""
        return sum(map(epochs_spared, self.pruned))

    @property
    def seconds(self) -> float:
        """What all trials cost together, however many ran at once."""
        return sum(map(seconds, self.trials))

    @property
    def seconds_on_the_wall(self) -> float:
        """From the first trial's beginning to the last one's end, pauses of the search included."""
        begun = [trial.datetime_start for trial in self.trials if trial.datetime_start]
        ended = [trial.datetime_complete for trial in self.trials if trial.datetime_complete]
        return (max(ended) - min(begun)).total_seconds() if begun and ended else 0.0

    @property
    def seconds_spared(self) -> float:
        """What the epochs that were not run would have cost, each as much as those of the same trial that were."""
        return sum(seconds(trial) * epochs_spared(trial) / max(1, epochs_run(trial)) for trial in self.pruned)

    def settings_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """A trial's values as they stand in params.yaml, by dotted key: Optuna keeps a list as its JSON."""
        return {key: self._as_written(key, value) for key, value in trial.params.items()}

    def _as_written(self, key: str, value: Any) -> Any:
        choices = self.vary[key].get("choices", ())
        return next((choice for choice in choices if value in (choice, json.dumps(choice))), value)


def find(study: Study) -> StudyResults:
    """Read a study."""
    told = study.user_attrs
    up = study.direction is StudyDirection.MAXIMIZE
    return StudyResults(study.study_name, told["experiment"], told["metric"], told["space"], up, study.get_trials())


def epochs_run(trial: FrozenTrial) -> int:
    """How many epochs a trial ran; one that was killed could tell of each epoch alone."""
    return trial.user_attrs.get("epochs", len(trial.intermediate_values))


def epochs_spared(trial: FrozenTrial) -> int:
    """How many epochs a trial was given and did not run."""
    return max(0, trial.user_attrs.get("epochs_planned", 0) - epochs_run(trial))


def seconds(trial: FrozenTrial) -> float:
    """How long a trial took; of one that was killed, nobody noted it."""
    return trial.user_attrs.get("seconds", 0.0)


def reason(trial: FrozenTrial) -> str:
    """Why a trial failed, in one line."""
    return str(trial.user_attrs.get("reason", "its process was killed")).partition("\n")[0]


def cell(value: Any) -> str:
    """A value for a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _values_given(trial: FrozenTrial) -> dict[str, Any]:
    """The values that a trial was enqueued with, which it has in full only once it has begun."""
    return trial.system_attrs.get("fixed_params", trial.params)
