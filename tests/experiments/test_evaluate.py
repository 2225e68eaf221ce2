"""The figures of a model on its test rows, and the pictures that go with them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from support.inputs import describe, training_context

from modelyard import models
from modelyard.data.inputs import TrainingInput, save_test
from modelyard.data.samples import Samples
from modelyard.experiments import plots
from modelyard.experiments.evaluate import Evaluation, Pictures, draw, evaluate
from modelyard.models import EstimatorTraining, Model
from modelyard.models.families import linear


def fit(data: TrainingInput) -> tuple[Model, pd.DataFrame]:
    settings, training = linear.Settings(family="linear"), EstimatorTraining(seed=7)
    return models.fit(settings, training, data, training_context())


def evaluated(data: TrainingInput, test: Samples, folder: Path) -> tuple[Evaluation, Pictures]:
    save_test(test, folder / "test")
    model, history = fit(data)
    found = evaluate(model, folder / "test")
    return found, draw(found, data, history)


def mislabelled(data: TrainingInput) -> Samples:
    """Test images of which every third carries the wrong class, and of one every fifth."""
    images = np.random.default_rng(1).integers(0, 100, size=(45, 8, 8, 1))
    bright = np.arange(45) % 2
    wrong = np.arange(45) % np.where(bright, 3, 5) == 0
    return Samples((images + 150 * bright[:, None, None, None]).astype(np.uint8), (bright ^ wrong).astype(np.uint8))


@pytest.fixture
def of_images(image_input: TrainingInput, tmp_path: Path) -> tuple[Evaluation, Pictures]:
    return evaluated(image_input, mislabelled(image_input), tmp_path)


@pytest.fixture
def of_values(regression_input: TrainingInput, tmp_path: Path) -> tuple[Evaluation, Pictures]:
    return evaluated(regression_input, regression_input.validation, tmp_path)


@pytest.fixture
def any_evaluation(request: pytest.FixtureRequest) -> tuple[Evaluation, Pictures]:
    return request.getfixturevalue(request.param)


def test_classification_metrics_equal_scikit_learns(image_input: TrainingInput, tmp_path: Path) -> None:
    test = mislabelled(image_input)
    found, _ = evaluated(image_input, test, tmp_path)
    probabilities = fit(image_input)[0].predict(test.x)
    chosen = probabilities.argmax(axis=1)
    assert found.metrics == pytest.approx(
        {
            "loss": sklearn_metrics.log_loss(test.y, np.clip(probabilities, 1e-7, 1 - 1e-7)),
            "accuracy": sklearn_metrics.accuracy_score(test.y, chosen),
            "macro_f1": sklearn_metrics.f1_score(test.y, chosen, average="macro"),
        },
        abs=1e-6,
    )
    assert 0.5 < found.metrics["accuracy"] < 0.9


def test_regression_metrics_equal_scikit_learns(regression_input: TrainingInput, tmp_path: Path) -> None:
    test = regression_input.validation
    found, _ = evaluated(regression_input, test, tmp_path)
    values = fit(regression_input)[0].predict(test.x)
    squared = sklearn_metrics.mean_squared_error(test.y, values)
    assert found.metrics == pytest.approx(
        {
            "loss": squared,
            "mae": sklearn_metrics.mean_absolute_error(test.y, values),
            "mse": squared,
            "r2": sklearn_metrics.r2_score(test.y, values),
            "correlation": np.corrcoef(test.y, values)[0, 1],
        },
        abs=1e-12,
    )


@pytest.mark.parametrize("any_evaluation", ["of_images", "of_values"], indirect=True)
def test_every_figure_lies_in_an_interval_of_some_width(any_evaluation: tuple[Evaluation, Pictures]) -> None:
    found, _ = any_evaluation
    assert found.details["rows"] == len(found.judgement.test) == len(found.predictions)
    assert found.details["intervals"].keys() == found.metrics.keys()
    for name, (low, high) in found.details["intervals"].items():
        assert low < found.metrics[name] < high


def test_figures_of_each_class_equal_scikit_learns(of_images: tuple[Evaluation, Pictures]) -> None:
    found, _ = of_images
    told = pd.DataFrame(found.details["classes"]).T[["precision", "recall", "f1", "rows"]]
    expected = sklearn_metrics.precision_recall_fscore_support(found.predictions.truth, found.predictions.prediction)
    assert list(told.index) == ["dark", "bright"]
    np.testing.assert_allclose(told, np.transpose(expected))


def test_a_regression_has_no_figures_of_classes(of_values: tuple[Evaluation, Pictures]) -> None:
    found, _ = of_values
    assert "classes" not in found.details
    assert list(found.predictions.columns) == ["truth", "prediction"]


@pytest.mark.parametrize(
    "any_evaluation, expected",
    [
        ("of_values", ["layers.png", "learning_curve.png", "predicted_against_true.png"]),
        (
            "of_images",
            ["confusion.png", "first_training_images.png", "layers.png", "learning_curve.png", "worst_mistakes.png"],
        ),
    ],
    indirect=["any_evaluation"],
)
def test_pictures_are_those_of_the_task(any_evaluation: tuple[Evaluation, Pictures], expected: list[str]) -> None:
    assert sorted(any_evaluation[1]) == expected


def test_classes_of_plain_rows_have_no_pictures_of_images(regression_input: TrainingInput, tmp_path: Path) -> None:
    rows = Samples(regression_input.rows.x, (regression_input.rows.y > 3).astype(np.uint8))
    data = TrainingInput(describe(rows, 12, ("low", "high")), rows)
    _, pictures = evaluated(data, data.validation, tmp_path)
    assert sorted(pictures) == ["confusion.png", "layers.png", "learning_curve.png"]


@pytest.mark.parametrize("data_name", ["image_input", "regression_input"])
def test_two_evaluations_draw_equal_bytes(data_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data = request.getfixturevalue(data_name)
    for folder in (tmp_path / "one", tmp_path / "other"):
        _, pictures = evaluated(data, data.validation, folder)
        for name, picture in pictures.items():
            plots.save(picture, folder / name)
            assert (folder / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_the_worst_mistakes_are_wrong_and_the_surest_first(of_images: tuple[Evaluation, Pictures]) -> None:
    found, pictures = of_images
    table = found.predictions
    wrong = table[table.truth != table.prediction].sort_values("probability", ascending=False, kind="stable")
    shown = [axes for axes in pictures["worst_mistakes.png"].axes if axes.images]
    assert len(shown) == min(16, len(wrong)) > 3
    assert {axes.get_title() for axes in shown} == {"dark/bright", "bright/dark"}
    for axes, row in zip(shown, wrong.index, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), found.judgement.test.x[row].squeeze())


def test_a_model_without_mistakes_has_an_empty_grid(image_input: TrainingInput, tmp_path: Path) -> None:
    found, pictures = evaluated(image_input, image_input.validation, tmp_path)
    assert found.metrics["accuracy"] == 1
    assert not any(axes.images for axes in pictures["worst_mistakes.png"].axes)
