"""One trial: its score, its curve, how it is given up, what is noted of it."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from support import searches
from support.searches import plan

from modelyard import models
from modelyard.data import scaling
from modelyard.data.inputs import load_training
from modelyard.models import NetworkTraining
from modelyard.models.families import mlp
from modelyard.params.project import NetworkExperiment
from modelyard.params.study import Choices, Range
from modelyard.tuning.objective import Objective, suggest
from modelyard.tuning.opening import take_up
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import Place
from modelyard.tuning.worker import pruner, sampler

NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=4, loss="mse", checkpoint="val_loss"),
)
UNITS = {"model.units": Choices(choices=((4,), (8, 4))), "training.learning_rate": Range(low=0.001, high=0.1, log=True)}


class PruneAt(optuna.pruners.BasePruner):
    """Gives a trial up at one step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self._step


def tried(made: Any, given: dict[str, Any], pruner: optuna.pruners.BasePruner | None = None) -> tuple[Any, list]:
    """One trial with these parameters, and what was told meanwhile."""
    told: list[tuple] = []
    study = optuna.create_study(direction=made.direction, pruner=pruner or optuna.pruners.NopPruner())
    study.enqueue_trial(given)
    study.optimize(Objective(made, lambda *figures: told.append(figures)), n_trials=1, catch=(Exception,))
    return study.trials[0], told


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path) -> None:
    searches.save_rows(tmp_path)


def test_a_networks_curve_is_reported_by_epoch_and_its_score_is_the_last(tmp_path):
    given = {"model.units": "[8, 4]", "training.learning_rate": 0.01}
    trial, told = tried(plan(tmp_path, NETWORK, vary=UNITS), given)
    assert list(trial.intermediate_values) == [1, 2, 3, 4]
    assert trial.value == trial.intermediate_values[4]
    assert [(done, most) for done, most, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [score for *_, score in told] == list(trial.intermediate_values.values())
    assert (trial.user_attrs["epochs"], trial.user_attrs["epochs_planned"]) == (4, 4)
    assert list(tmp_path.rglob("*.h5")) == [], "a trial keeps no weights"


def test_a_trial_scores_as_a_training_with_its_settings_does(tmp_path):
    made = plan(tmp_path, NETWORK, vary=UNITS)
    trial, _ = tried(made, {"model.units": "[4]", "training.learning_rate": 0.001})
    context = models.TrainingContext(tmp_path, made.runtime, lambda figures: None)
    _, history = models.fit(NETWORK.model, NETWORK.training, load_training(made.training_of("made_up")), context)
    assert trial.value == pytest.approx(history.val_mae.iloc[-1], rel=1e-6)


def test_a_trial_that_is_given_up_runs_no_further_epoch(tmp_path):
    trial, told = tried(plan(tmp_path, NETWORK, vary=UNITS), {}, PruneAt(2))
    assert trial.state is TrialState.PRUNED
    assert len(told) == 2
    assert (trial.user_attrs["epochs"], trial.user_attrs["epochs_planned"]) == (2, 4)
    assert "reason" not in trial.user_attrs


def test_what_has_come_to_its_last_step_is_no_longer_given_up(tmp_path):
    assert tried(plan(tmp_path, NETWORK, vary=UNITS), {}, PruneAt(4))[0].state is TrialState.COMPLETE


def test_a_diverging_training_is_a_failed_trial_with_its_reason(tmp_path):
    vary = {"training.learning_rate": Choices(choices=(0.001, 1e30)), "training.optimizer": Choices(choices=("sgd",))}
    trial, _ = tried(plan(tmp_path, NETWORK, vary=vary), {"training.learning_rate": 1e30})
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["reason"].startswith("ModelyardError: the loss became")


def test_a_network_is_searched_by_one_warm_worker(tmp_path):
    made, place = plan(tmp_path, NETWORK, vary=UNITS), Place(str(tmp_path / "made_up.journal"))
    study = take_up(made, place)
    Search(study, place, made, lambda workers, ended: None).run(1, Budget(2))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 1
    assert study.trials[0].params == {"model.units": "[4]", "training.learning_rate": 0.001}


def test_a_trial_may_learn_from_part_of_the_rows_and_is_judged_by_all_validation_rows(tmp_path):
    made = plan(tmp_path, training_rows=40)
    trial, _ = tried(made, {"model.trees": 20, "model.depth": 2})
    data = load_training(made.training_of("made_up"))
    first = data.samples.take(np.arange(40))
    assert trial.value == pytest.approx(_error(first, data.validation), rel=0.05)
    assert trial.value != pytest.approx(_error(data.training, data.validation), rel=0.05)


def test_with_folds_a_score_is_the_mean_over_them_each_with_its_own_scaling(tmp_path):
    made = plan(tmp_path, folds=3)
    trial, told = tried(made, {"model.trees": 20, "model.depth": 2})
    rows = load_training(made.training_of("made_up")).samples
    errors = []
    for held in np.array_split(np.random.RandomState(7).permutation(len(rows)), 3):
        rest = np.setdiff1d(np.arange(len(rows)), held)
        errors.append(_error(rows.take(rest), rows.take(held)))
    assert trial.value == pytest.approx(np.mean(errors), rel=0.05)
    assert list(trial.intermediate_values) == [1, 2, 3]
    assert trial.value == trial.intermediate_values[3]
    assert [(done, most) for done, most, _ in told] == [(1, 3), (2, 3), (3, 3)]


def _error(training: Any, held: Any) -> float:
    from sklearn.ensemble import GradientBoostingRegressor

    scaler = scaling.fit("none", training.x)
    fitted = GradientBoostingRegressor(n_estimators=20, max_depth=2, random_state=7)
    fitted.fit(scaler.transform(training.x), training.y)
    return float(np.abs(fitted.predict(scaler.transform(held.x)) - held.y).mean())


def test_a_study_with_folds_prunes_between_them(tmp_path):
    trial, told = tried(plan(tmp_path, folds=4), {"model.trees": 20, "model.depth": 2}, PruneAt(2))
    assert trial.state is TrialState.PRUNED
    assert len(told) == 2


@pytest.mark.parametrize("seed", range(5))
def test_suggestions_are_what_the_study_allows(tmp_path, seed):
    vary = {
        "model.trees": Range(low=10, high=50, step=10),
        "model.depth": Choices(choices=(1, 3)),
        "model.learning_rate": Range(low=0.01, high=1.0, log=True),
        "model.subsample": Range(low=0.5, high=1.0, step=0.25),
    }
    made = plan(tmp_path, vary=vary)
    values = suggest(optuna.create_study(sampler=sampler((seed,))).ask(), made)
    assert all(vary[key].holds(value) for key, value in values.items())
    assert type(values["model.trees"]) is int


def test_each_turn_has_its_own_suggestions_and_the_same_each_time(tmp_path):
    made = plan(tmp_path)
    seeds = [(7, 1), (7, 1), (7, 2), (8, 1), (7, 1, 99)]
    drawn = [suggest(optuna.create_study(sampler=sampler(seed)).ask(), made) for seed in seeds]
    assert drawn[0] == drawn[1]
    assert len({tuple(each.values()) for each in drawn}) >= 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [("median", "MedianPruner"), ("hyperband", "HyperbandPruner"), ("none", "NopPruner")],
)
def test_the_pruner_is_the_one_that_is_named(name, kind, tmp_path):
    assert type(pruner(plan(tmp_path, pruner=name))).__name__ == kind


def test_hyperband_knows_the_most_epochs_of_the_space(tmp_path):
    epochs = {"training.epochs": Range(low=2, high=9)}
    assert plan(tmp_path, NETWORK, vary=epochs).most_epochs == 9
    assert plan(tmp_path, NETWORK, vary={"training.epochs": Choices(choices=(4, 12))}).most_epochs == 12
    assert plan(tmp_path, NETWORK, vary=UNITS).most_epochs == 4
    assert plan(tmp_path, NETWORK, vary=epochs, folds=5).most_epochs == 5
