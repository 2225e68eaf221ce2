"""The metrics of a model on its test samples, and the plots."""

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
from modelyard.experiments.evaluate import Evaluation, evaluate, plot_evaluation
from modelyard.experiments.tasks import Plots
from modelyard.models import EstimatorTraining, Model, NetworkTraining
from modelyard.models.families import cnn, linear

LINEAR = (linear.Settings(family="linear"), EstimatorTraining(seed=7))


def fit(data: TrainingInput, settings: tuple = LINEAR) -> tuple[Model, pd.DataFrame]:
    return models.fit(*settings, data, training_context())


def evaluated(data: TrainingInput, test: Samples, folder: Path, settings: tuple = LINEAR) -> tuple[Evaluation, Plots]:
    save_test(test, folder / "test")
    model, history = fit(data, settings)
    evaluation = evaluate(model, folder / "test")
    return evaluation, plot_evaluation(evaluation, data, history)


def mislabelled(data: TrainingInput) -> Samples:
    """Test images of which every third carries the wrong class, and of one every fifth."""
    images = np.random.default_rng(1).integers(0, 100, size=(45, 8, 8, 1))
    bright = np.arange(45) % 2
    wrong = np.arange(45) % np.where(bright, 3, 5) == 0
    return Samples((images + 150 * bright[:, None, None, None]).astype(np.uint8), (bright ^ wrong).astype(np.uint8))


@pytest.fixture
def of_images(image_input: TrainingInput, tmp_path: Path) -> tuple[Evaluation, Plots]:
    return evaluated(image_input, mislabelled(image_input), tmp_path)


@pytest.fixture
def of_values(regression_input: TrainingInput, tmp_path: Path) -> tuple[Evaluation, Plots]:
    return evaluated(regression_input, regression_input.validation, tmp_path)


@pytest.fixture
def any_evaluation(request: pytest.FixtureRequest) -> tuple[Evaluation, Plots]:
    return request.getfixturevalue(request.param)


def test_classification_metrics_equal_scikit_learns(image_input: TrainingInput, tmp_path: Path) -> None:
    test = mislabelled(image_input)
    evaluation, _ = evaluated(image_input, test, tmp_path)
    probabilities = fit(image_input)[0].predict(test.x)
    chosen = probabilities.argmax(axis=1)
    assert evaluation.metrics == pytest.approx(
        {
            "loss": sklearn_metrics.log_loss(test.y, np.clip(probabilities, 1e-7, 1 - 1e-7)),
            "accuracy": sklearn_metrics.accuracy_score(test.y, chosen),
            "macro_f1": sklearn_metrics.f1_score(test.y, chosen, average="macro"),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(test.y, chosen),
            "roc_auc": sklearn_metrics.roc_auc_score(test.y, probabilities[:, 1]),
            "average_precision": sklearn_metrics.average_precision_score(test.y, probabilities[:, 1]),
            "log_loss": sklearn_metrics.log_loss(test.y, np.clip(probabilities, 1e-7, 1 - 1e-7)),
            "brier_score": sklearn_metrics.brier_score_loss(test.y, probabilities[:, 1]),
        },
        abs=1e-6,
    )
    assert 0.5 < evaluation.metrics["accuracy"] < 0.9


def test_regression_metrics_equal_scikit_learns(regression_input: TrainingInput, tmp_path: Path) -> None:
    test = regression_input.validation
    evaluation, _ = evaluated(regression_input, test, tmp_path)
    values = fit(regression_input)[0].predict(test.x)
    squared = sklearn_metrics.mean_squared_error(test.y, values)
    assert evaluation.metrics == pytest.approx(
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
def test_every_metric_lies_in_its_interval(any_evaluation: tuple[Evaluation, Plots]) -> None:
    evaluation, _ = any_evaluation
    assert evaluation.details["rows"] == len(evaluation.scored.test) == len(evaluation.predictions)
    assert evaluation.details["intervals"].keys() == evaluation.metrics.keys()
    for name, (low, high) in evaluation.details["intervals"].items():
        assert low < evaluation.metrics[name] < high


def test_metrics_of_each_class_equal_scikit_learns(of_images: tuple[Evaluation, Plots]) -> None:
    evaluation, _ = of_images
    per_class = pd.DataFrame(evaluation.details["classes"]).T[["precision", "recall", "f1", "rows"]]
    expected = sklearn_metrics.precision_recall_fscore_support(
        evaluation.predictions.truth, evaluation.predictions.prediction
    )
    assert list(per_class.index) == ["dark", "bright"]
    np.testing.assert_allclose(per_class, np.transpose(expected))


def test_a_regression_has_no_metrics_of_classes(of_values: tuple[Evaluation, Plots]) -> None:
    evaluation, _ = of_values
    assert "classes" not in evaluation.details
    assert list(evaluation.predictions.columns) == ["truth", "prediction"]


@pytest.mark.parametrize(
    "any_evaluation, expected",
    [
        ("of_values", ["layers.png", "learning_curve.png", "predicted_against_true.png"]),
        (
            "of_images",
            [
                "calibration.png",
                "confusion.png",
                "first_training_images.png",
                "layers.png",
                "learning_curve.png",
                "worst_mistakes.png",
            ],
        ),
    ],
    indirect=["any_evaluation"],
)
def test_the_plots_are_those_of_the_task(any_evaluation: tuple[Evaluation, Plots], expected: list[str]) -> None:
    assert sorted(any_evaluation[1]) == expected


def test_a_classification_of_tables_has_no_plots_of_images(regression_input: TrainingInput, tmp_path: Path) -> None:
    rows = Samples(regression_input.samples.x, (regression_input.samples.y > 3).astype(np.uint8))
    data = TrainingInput(describe(rows, 12, ("low", "high")), rows)
    _, files = evaluated(data, data.validation, tmp_path)
    assert sorted(files) == ["calibration.png", "confusion.png", "layers.png", "learning_curve.png"]


def test_each_slice_has_its_samples_and_the_headline_metric_with_an_interval(
    image_input: TrainingInput, tmp_path: Path
) -> None:
    test, size = mislabelled(image_input), np.arange(45) // 15 * 10
    save_test(test, tmp_path / "test", {"size": size.astype(str), "half": np.where(size < 20, "9 to 10", "20 to 21")})
    evaluation = evaluate(fit(image_input)[0], tmp_path / "test")
    table = evaluation.predictions
    right = (table.truth == table.prediction).groupby(size).mean()
    slices = evaluation.details["slices"]
    assert slices["metric"] == "accuracy"
    assert list(slices["columns"]["half"]) == ["9 to 10", "20 to 21"]  # by their numbers
    for name, found in slices["columns"]["size"].items():
        assert (found["rows"], found["value"]) == (15, right[int(name)])
        assert found["low"] < found["value"] < found["high"]


def test_slices_of_few_samples_are_one_without_their_names(image_input: TrainingInput, tmp_path: Path) -> None:
    labels = np.array(["often"] * 31 + ["Ada"] * 9 + ["Bo"] * 5)
    save_test(mislabelled(image_input), tmp_path / "test", {"name": labels})
    details = evaluate(fit(image_input)[0], tmp_path / "test").details
    assert {name: found["rows"] for name, found in details["slices"]["columns"]["name"].items()} == {
        "(rare)": 14,
        "often": 31,
    }
    assert "Ada" not in str(details)


def test_without_slices_details_have_none(of_values: tuple[Evaluation, Plots]) -> None:
    assert "slices" not in of_values[0].details


@pytest.mark.parametrize("data_name", ["image_input", "regression_input"])
def test_two_evaluations_plot_equal_bytes(data_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data = request.getfixturevalue(data_name)
    drawn = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        _, files = evaluated(data, data.validation, folder)
        for name, plot in files.items():
            plots.save(plot, folder / name)
        drawn.append({name: (folder / name).read_bytes() for name in files})
    assert drawn[0] == drawn[1] != {}


def test_the_worst_mistakes_are_sorted_by_the_probability_of_the_wrong_class(
    of_images: tuple[Evaluation, Plots],
) -> None:
    evaluation, files = of_images
    table = evaluation.predictions
    wrong = table[table.truth != table.prediction].sort_values("probability", ascending=False, kind="stable")
    shown = [axes for axes in files["worst_mistakes.png"].axes if axes.images]
    assert len(shown) == min(16, len(wrong)) > 3
    assert {axes.get_title() for axes in shown} == {"dark/bright", "bright/dark"}
    for axes, row in zip(shown, wrong.index, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), evaluation.scored.test.x[row].squeeze())


def test_a_model_without_mistakes_has_an_empty_grid(image_input: TrainingInput, tmp_path: Path) -> None:
    evaluation, files = evaluated(image_input, image_input.validation, tmp_path)
    assert evaluation.metrics["accuracy"] == 1
    assert not any(axes.images for axes in files["worst_mistakes.png"].axes)


def test_of_a_network_with_convolutions_it_is_shown_what_its_predictions_rest_on(
    image_input: TrainingInput, tmp_path: Path
) -> None:
    """Of each class, the first that is right, and below it the most confident mistake."""
    training = NetworkTraining(seed=7, epochs=8, learning_rate=0.01, loss="sparse_categorical_crossentropy")
    network = (cnn.Settings(family="cnn", filters=(3,)), training)
    evaluation, files = evaluated(image_input, mislabelled(image_input), tmp_path, network)
    table = evaluation.predictions
    assert (table.truth == table.prediction).mean() > 0.5
    titles = [axes.get_title() for axes in files["occlusion.png"].axes]
    assert titles == ["dark", "bright", "dark/bright", "bright/dark"]
    pictures = [axes.images[0].get_array() for axes in files["occlusion.png"].axes]
    for number in (0, 1):
        of_class = table[table.truth == number]
        right, wrong = of_class[of_class.prediction == number], of_class[of_class.prediction != number]
        for picture, index in ((pictures[number], right.index[0]), (pictures[number + 2], wrong.probability.idxmax())):
            np.testing.assert_allclose(picture, evaluation.scored.test.x[index][..., 0] / 255)
