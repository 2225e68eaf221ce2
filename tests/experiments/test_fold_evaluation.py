"""Evaluation by repeated k-fold: what each fit sees, what it is measured on, and that nothing varies."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from support.inputs import describe

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.cross_validation import divide_folds
from modelyard.data.inputs import TrainingInput, refit
from modelyard.data.samples import Samples
from modelyard.experiments.fold_evaluation import evaluate_folds
from modelyard.metrics.fold_statistics import fold_statistics
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.engine.training_settings import EarlyStopping
from modelyard.models.families import linear, mlp
from modelyard.params.fold_evaluation import FoldEvaluation
from modelyard.params.project import EstimatorExperiment, NetworkExperiment

LINEAR = EstimatorExperiment(
    input="line",
    model=linear.Settings(family="linear"),
    training=EstimatorTraining(seed=7),
    evaluate=FoldEvaluation(folds=4, repeats=2),
)
STOPPED = NetworkExperiment(
    input="line",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(
        seed=7, epochs=2, loss="mse", early_stopping=EarlyStopping(patience=1), checkpoint="val_loss"
    ),
    evaluate=FoldEvaluation(folds=3),
)


def standardised(data: TrainingInput) -> TrainingInput:
    description = data.description.model_copy(update={"scaling": "standard"})
    return TrainingInput(refit(description, data.samples), data.samples)


def fitted_inputs(experiment, data: TrainingInput) -> list[tuple[TrainingInput, object]]:
    """The input and the training settings of each fit of an evaluation; a linear model is fitted in its place."""
    seen, fit = [], models.fit

    def spy(_, training, data, context):
        seen.append((data, training))
        return fit(LINEAR.model, LINEAR.training, data, context)

    with patch.object(models, "fit", spy):
        evaluate_folds(experiment, data, Runtime())
    return seen


def test_an_experiment_without_the_setting_has_no_results_of_folds(regression_input):
    assert evaluate_folds(LINEAR.model_copy(update={"evaluate": None}), regression_input, Runtime()) == {}
    assert "evaluate" not in LINEAR.model_copy(update={"evaluate": None}).model_dump()


def test_the_metrics_of_each_fold_are_those_of_scikit_learn_on_training_and_validation_samples(
    regression_input, capsys
):
    found = evaluate_folds(LINEAR, regression_input, Runtime())["folds"]
    x, y = regression_input.samples.x, regression_input.samples.y
    expected = []
    for seed in (7, 8):
        for training, held_out in divide_folds(regression_input, 4, seed):
            fitted = LinearRegression().fit(x[training], y[training])
            expected.append(np.abs(fitted.predict(x[held_out]) - y[held_out]).mean())
    mae = found["metrics"]["mae"]
    assert mae["values"] == pytest.approx(expected)
    statistics = fold_statistics(np.array(expected), 15 / 45)
    assert [mae[key] for key in ("mean", "sd", "low", "high")] == pytest.approx(statistics)
    assert (found["folds"], found["repeats"], len(mae["values"])) == (4, 2, 8)
    assert list(found["metrics"]) == ["correlation", "mae", "mse", "r2"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[4].startswith("fold 5/8  correlation 0.9")


def test_all_that_is_learnt_from_samples_is_learnt_anew_in_each_fold(regression_input):
    seen = fitted_inputs(LINEAR, standardised(regression_input))
    assert len({data.description.scaler for data, _ in seen}) == 8
    for data, _ in seen:
        assert data.description.scaler.offset == pytest.approx(data.training.x.mean(axis=0))
        assert (len(data.training), len(data.validation)) == (45, 0)


def test_repeats_have_other_folds_and_another_training_seed(regression_input):
    seen = fitted_inputs(LINEAR, regression_input)
    assert [training.seed for _, training in seen] == [7] * 4 + [8] * 4
    assert sorted(seen[0][0].samples.y) != sorted(seen[4][0].samples.y)


def test_samples_that_stop_a_training_early_are_not_those_that_it_is_measured_on(regression_input):
    seen = fitted_inputs(STOPPED, regression_input)
    assert [(len(data.training), len(data.validation)) for data, _ in seen] == [(32, 8)] * 3
    assert {training.checkpoint for _, training in seen} == {None}
    for (data, _), (kept, held_out) in zip(seen, divide_folds(regression_input, 3, 7), strict=True):
        assert sorted(data.samples.y) == sorted(regression_input.samples.y[kept])
        assert not set(data.samples.y) & set(regression_input.samples.y[held_out])


def test_validation_samples_within_a_fold_keep_groups_together_and_follow_in_time(regression_input):
    groups = np.arange(60) // 5
    by_group = regression_input.description.model_copy(update={"split_by": "group"})
    for data, _ in fitted_inputs(STOPPED, TrainingInput(by_group, regression_input.samples, groups)):
        which = np.searchsorted(np.sort(regression_input.samples.y), data.samples.y)
        of_sample = groups[np.argsort(regression_input.samples.y)][which]
        count = len(data.training)
        assert len(data.validation)
        assert not set(of_sample[:count]) & set(of_sample[count:])
    rows = Samples(np.arange(60.0)[:, None], np.arange(60.0))
    in_time = TrainingInput(describe(rows, 12, split_by="time"), rows)
    for data, _ in fitted_inputs(STOPPED, in_time):
        assert data.samples.y.tolist() == list(range(len(data.samples)))
        assert len(data.validation)


def test_a_network_evaluated_twice_has_equal_results(regression_input):
    first, second = (evaluate_folds(STOPPED, regression_input, Runtime()) for _ in range(2))
    assert first == second
    assert len(set(first["folds"]["metrics"]["mae"]["values"])) == 3


def test_a_class_with_fewer_samples_than_folds_is_refused_before_any_fit(image_input, tmp_path: Path):
    rows = Samples(image_input.samples.x, np.array([1] * 2 + [0] * 78, dtype=np.uint8))
    data = TrainingInput(describe(rows, 16, ("dark", "bright")), rows)
    with patch.object(models, "fit") as fit, pytest.raises(ModelyardError, match="4 folds, and class 'bright' has 2"):
        evaluate_folds(LINEAR, data, Runtime())
    fit.assert_not_called()
