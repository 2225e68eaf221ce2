"""One trial: its score, its learning curve, pruning, and the attributes that it stores."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from support import searches
from support.searches import plan

from modelyard import models
from modelyard.data import scaling
from modelyard.data.inputs import load_training
from modelyard.models import NetworkTraining
from modelyard.models.families import mlp
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.project import NetworkExperiment
from modelyard.params.study import Choices, Range
from modelyard.tuning.objective import Objective, suggest_values
from modelyard.tuning.plan import Plan
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import StudyStorage, open_study
from modelyard.tuning.trial_code import code_checksums
from modelyard.tuning.worker import make_sampler

NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=4, loss="mse", checkpoint="val_loss"),
)
UNITS = {"model.units": Choices(choices=((4,), (8, 4))), "training.learning_rate": Range(low=0.001, high=0.1, log=True)}


class PruneAt(optuna.pruners.BasePruner):
    """Prunes a trial at one step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self._step


def run_trial(plan: Plan, values: dict[str, Any], pruner: optuna.pruners.BasePruner | None = None) -> tuple[Any, list]:
    """Run one trial with these parameters, after the baseline; return it and the epochs that it reported."""
    epochs: list[tuple] = []
    study = optuna.create_study(direction=plan.direction, pruner=pruner or optuna.pruners.NopPruner())
    study.enqueue_trial({"of": "the baseline"})
    study.tell(study.ask(), state=TrialState.FAIL)
    study.enqueue_trial(values)
    study.optimize(Objective(plan, lambda *epoch: epochs.append(epoch)), n_trials=1, catch=(Exception,))
    return study.trials[1], epochs


@pytest.fixture(autouse=True)
def _samples(tmp_path: Path) -> None:
    searches.save_samples(tmp_path)


def test_a_network_reports_each_epoch_and_scores_its_last_one(tmp_path):
    values = {"model.units": "[8, 4]", "training.learning_rate": 0.01}
    trial, epochs = run_trial(plan(tmp_path, NETWORK, search_space=UNITS), values)
    assert list(trial.intermediate_values) == [1, 2, 3, 4]
    assert trial.value == trial.intermediate_values[4]
    assert [(done, most) for done, most, _ in epochs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [score for *_, score in epochs] == list(trial.intermediate_values.values())
    assert (trial.user_attrs["epochs"], trial.user_attrs["epochs_planned"]) == (4, 4)
    assert list(tmp_path.rglob("*.h5")) == [], "a trial keeps no weights"


def test_a_network_with_restored_weights_scores_its_best_epoch(tmp_path):
    """With steps so large that the last one is not the best; the schedule is a section of its own."""
    stopping = {"monitor": "val_mae", "patience": 9, "restore_best": True}
    training = NetworkTraining(seed=7, epochs=6, loss="mse", early_stopping=stopping)
    space = {
        "training.learning_rate": Range(low=0.1, high=10.0),
        "training.schedule": Choices(choices=(None, {"kind": "reduce_on_plateau", "patience": 3})),
    }
    experiment = NETWORK.model_copy(update={"training": training})
    values = {"training.learning_rate": 3.0, "training.schedule": '{"kind": "reduce_on_plateau", "patience": 3}'}
    trial, _ = run_trial(plan(tmp_path, experiment, search_space=space), values)
    assert trial.value == min(trial.intermediate_values.values()) < trial.intermediate_values[6]


def test_a_score_equals_that_of_training_with_the_same_settings(tmp_path):
    search_plan = plan(tmp_path, NETWORK, search_space=UNITS)
    trial, _ = run_trial(search_plan, {"model.units": "[4]", "training.learning_rate": 0.001})
    context = models.TrainingContext(tmp_path, search_plan.runtime, lambda metrics: None)
    _, history = models.fit(
        NETWORK.model, NETWORK.training, load_training(search_plan.training_folder("made_up")), context
    )
    assert trial.value == pytest.approx(history.val_mae.iloc[-1], rel=1e-6)


def test_a_pruned_trial_runs_no_further_epoch(tmp_path):
    trial, epochs = run_trial(plan(tmp_path, NETWORK, search_space=UNITS), {}, PruneAt(2))
    assert trial.state is TrialState.PRUNED
    assert len(epochs) == 2
    assert (trial.user_attrs["epochs"], trial.user_attrs["epochs_planned"]) == (2, 4)
    assert "reason" not in trial.user_attrs


def test_the_baseline_is_not_pruned_and_its_retry_neither(tmp_path):
    study = optuna.create_study(direction="minimize", pruner=PruneAt(2))
    for values in ({"model.units": "[4]"}, {"model.units": "[8, 4]"}, {"model.units": "[4]"}):
        study.enqueue_trial(values)
    study.tell(study.ask(), state=TrialState.FAIL)
    objective = Objective(plan(tmp_path, NETWORK, search_space=UNITS), lambda *_: None)
    study.optimize(objective, n_trials=2)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE]


def test_a_trial_at_its_last_step_is_not_pruned(tmp_path):
    assert run_trial(plan(tmp_path, NETWORK, search_space=UNITS), {}, PruneAt(4))[0].state is TrialState.COMPLETE


EPOCHS = UNITS | {"training.epochs": Range(low=2, high=6, step=2)}


def fitted_history(search_plan: Plan, folder: Path, epochs: int) -> Any:
    training = NETWORK.training.model_copy(update={"epochs": epochs, "learning_rate": 0.01})
    context = models.TrainingContext(folder, search_plan.runtime, lambda metrics: None)
    data = load_training(search_plan.training_folder("made_up"))
    return models.fit(NETWORK.model, training, data, context)[1]


def test_the_number_of_epochs_is_read_off_the_curve_of_the_longest_training(tmp_path):
    """With steps so large that the curve has its best epoch before its end."""
    space = EPOCHS | {"training.learning_rate": Range(low=0.1, high=10.0)}
    search_plan = plan(tmp_path, NETWORK, search_space=space)
    trial, _ = run_trial(search_plan, {"model.units": "[4]", "training.learning_rate": 3.0})
    curve = trial.intermediate_values
    assert list(curve) == [1, 2, 3, 4, 5, 6]
    assert trial.value == min(curve[2], curve[4], curve[6]) < curve[6]
    assert curve[trial.user_attrs["epochs_read_off"]] == trial.value
    assert "training.epochs" not in trial.params


def test_a_score_that_is_read_off_is_that_of_a_training_of_so_many_epochs(tmp_path):
    search_plan = plan(tmp_path, NETWORK, search_space=EPOCHS)
    trial, _ = run_trial(search_plan, {"model.units": "[4]", "training.learning_rate": 0.01})
    history = fitted_history(search_plan, tmp_path, trial.user_attrs["epochs_read_off"])
    assert trial.value == float(history.val_mae.iloc[-1])


def test_a_number_of_epochs_that_a_trial_is_given_is_trained(tmp_path):
    """As that of the baseline is."""
    values = {"model.units": "[4]", "training.learning_rate": 0.01, "training.epochs": 4}
    trial, epochs = run_trial(plan(tmp_path, NETWORK, search_space=EPOCHS), values)
    assert len(epochs) == 4
    assert trial.params["training.epochs"] == 4
    assert "epochs_read_off" not in trial.user_attrs


def test_with_folds_the_best_mean_over_them_is_read_off(tmp_path):
    values = {"model.units": "[4]", "training.learning_rate": 0.01}
    trial, epochs = run_trial(plan(tmp_path, NETWORK, search_space=EPOCHS, folds=2), values)
    curves = [[score for *_, score in epochs[start : start + 6]] for start in (0, 6)]
    means = {number: (curves[0][number - 1] + curves[1][number - 1]) / 2 for number in (2, 4, 6)}
    assert trial.value == min(means.values())
    assert means[trial.user_attrs["epochs_read_off"]] == trial.value


def test_a_repeated_trial_takes_over_the_epochs_that_were_read_off(tmp_path):
    search_plan = plan(tmp_path, NETWORK, search_space=EPOCHS)
    study = optuna.create_study(direction=search_plan.direction)
    for _ in range(2):
        study.enqueue_trial({"model.units": "[4]", "training.learning_rate": 0.01})
    study.optimize(Objective(search_plan, lambda *_: None), n_trials=2)
    first, second = study.trials
    assert second.user_attrs["repeats"] == 0
    assert second.user_attrs["epochs_read_off"] == first.user_attrs["epochs_read_off"]


def test_the_score_of_other_or_unknown_code_is_not_taken_over(tmp_path):
    values = {"model.n_estimators": 20, "model.max_depth": 2}
    trained, _ = run_trial(plan(tmp_path), values)
    for attributes, is_repeat in (({"code": "of an edit"}, False), ({}, False), (trained.user_attrs, True)):
        study = optuna.create_study(direction="minimize")
        study.add_trial(replaced(trained, attributes))
        study.enqueue_trial(values)
        study.optimize(Objective(plan(tmp_path), lambda *_: None), n_trials=1)
        assert ("repeats" in study.trials[1].user_attrs) is is_repeat


def replaced(trial: FrozenTrial, attributes: dict[str, Any]) -> FrozenTrial:
    """The trial with other attributes."""
    return create_trial(
        value=trial.value, params=trial.params, distributions=trial.distributions, user_attrs=attributes
    )


def test_a_trial_fails_if_its_code_was_edited_since_the_search_began(tmp_path):
    code = code_checksums("boosting")
    kept = replace(plan(tmp_path), code=code | {"models/engine/base.py": "before"})
    trial, epochs = run_trial(kept, {"model.n_estimators": 20, "model.max_depth": 2})
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["reason"] == "ModelyardError: edited since the search began: models/engine/base.py"
    assert epochs == []
    unchanged, _ = run_trial(replace(kept, code=code), {"model.n_estimators": 20, "model.max_depth": 2})
    assert unchanged.state is TrialState.COMPLETE


def test_a_diverging_training_is_a_failed_trial_with_its_reason(tmp_path):
    vary = {"training.learning_rate": Choices(choices=(0.001, 1e30)), "training.optimizer": Choices(choices=("sgd",))}
    trial, _ = run_trial(plan(tmp_path, NETWORK, search_space=vary), {"training.learning_rate": 1e30})
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["reason"].startswith("TrainingDiverged: the loss became")


@pytest.mark.slow
def test_one_worker_process_runs_all_trials_of_a_network(tmp_path):
    search_plan, storage = plan(tmp_path, NETWORK, search_space=UNITS), StudyStorage(str(tmp_path / "made_up.journal"))
    study = open_study(search_plan, storage)
    with closing(LocalEngine(1)) as engine:
        Search(study, storage, search_plan, lambda running, finished: None).run(engine, Budget(2))
    assert [(trial.state, trial.user_attrs.get("reason")) for trial in study.trials] == [
        (TrialState.COMPLETE, None)
    ] * 2
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 1
    assert study.trials[0].params == {"model.units": "[4]", "training.learning_rate": 0.001}


def test_training_samples_are_limited_but_not_validation_samples(tmp_path):
    search_plan = plan(tmp_path, training_samples=40)
    trial, _ = run_trial(search_plan, {"model.n_estimators": 20, "model.max_depth": 2})
    data = load_training(search_plan.training_folder("made_up"))
    first = data.samples.take(np.arange(40))
    assert trial.value == pytest.approx(_mean_absolute_error(first, data.validation), rel=0.05)
    assert trial.value != pytest.approx(_mean_absolute_error(data.training, data.validation), rel=0.05)


def test_with_folds_the_score_is_their_mean(tmp_path):
    search_plan = plan(tmp_path, folds=3)
    trial, epochs = run_trial(search_plan, {"model.n_estimators": 20, "model.max_depth": 2})
    samples = load_training(search_plan.training_folder("made_up")).samples
    errors = []
    for held in np.array_split(np.random.RandomState(7).permutation(len(samples)), 3):
        rest = np.setdiff1d(np.arange(len(samples)), held)
        errors.append(_mean_absolute_error(samples.take(rest), samples.take(held)))
    assert trial.value == pytest.approx(np.mean(errors), rel=0.05)
    assert list(trial.intermediate_values) == [1, 2, 3]
    assert trial.value == trial.intermediate_values[3]
    assert [(done, most) for done, most, _ in epochs] == [(1, 3), (2, 3), (3, 3)]


def _mean_absolute_error(training: Any, held: Any) -> float:
    from sklearn.ensemble import GradientBoostingRegressor

    scaler = scaling.fit("none", training.x)
    fitted = GradientBoostingRegressor(n_estimators=20, max_depth=2, random_state=7)
    fitted.fit(scaler.transform(training.x), training.y)
    return float(np.abs(fitted.predict(scaler.transform(held.x)) - held.y).mean())


def test_with_folds_trials_are_pruned_between_folds(tmp_path):
    trial, epochs = run_trial(plan(tmp_path, folds=4), {"model.n_estimators": 20, "model.max_depth": 2}, PruneAt(2))
    assert trial.state is TrialState.PRUNED
    assert len(epochs) == 2


@pytest.mark.parametrize("seed", range(5))
def test_suggested_values_lie_in_the_search_space(tmp_path, seed):
    vary = {
        "model.n_estimators": Range(low=10, high=50, step=10),
        "model.max_depth": Choices(choices=(1, 3)),
        "model.learning_rate": Range(low=0.01, high=1.0, log=True),
        "model.subsample": Range(low=0.5, high=1.0, step=0.25),
    }
    search_plan = plan(tmp_path, search_space=vary)
    values = suggest_values(optuna.create_study(sampler=make_sampler((seed,))).ask(), search_plan)
    assert all(vary[key].holds(value) for key, value in values.items())
    assert type(values["model.n_estimators"]) is int


def test_a_trial_of_two_metrics_has_its_score_and_its_number_of_parameters(tmp_path):
    study = plan(tmp_path, NETWORK, search_space=UNITS, metrics=("mae", "parameters"))
    created = optuna.create_study(directions=study.directions)
    for units in ("[8, 4]", "[8, 4]", "[4]"):
        created.enqueue_trial({"model.units": units, "training.learning_rate": 0.01})
    created.optimize(Objective(study, lambda *_: None), n_trials=3)
    scores, sizes = zip(*(trial.values for trial in created.trials), strict=True)
    assert sizes == (3 * 8 + 8 + 8 * 4 + 4 + 4 + 1,) * 2 + (3 * 4 + 4 + 4 + 1,)
    assert scores[0] == scores[1] != scores[2]
    assert created.trials[1].user_attrs["repeats"] == 0
