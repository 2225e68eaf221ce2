"""`modelyard predict`: what it prints and writes, what it refuses, and the exit code."""

import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from ruamel.yaml import YAML
from support.commands import modelyard
from support.inputs import training_context
from support.paths import ROOT
from support.pipelines import Run, add_linear, editing_params, keep_only
from typer.testing import Result

from modelyard import models
from modelyard.cli.predict import _print, _print_threshold
from modelyard.data.decision_threshold import DecisionThreshold
from modelyard.data.inputs import TrainingInput, save_test
from modelyard.data.readers import table_file
from modelyard.models import EstimatorTraining
from modelyard.models.families import linear
from modelyard.orchestration import dvc_lock
from modelyard.serving import predict as predict_module
from modelyard.serving.outside import COLUMN

IMAGES, VALUES = "digits_mlp", "boston_linear"  # experiments of params.yaml, with small models in their place


@pytest.fixture
def project(tmp_path: Path, image_input: TrainingInput, regression_input: TrainingInput, monkeypatch) -> Path:
    """A folder with this project's params.yaml, a model of images and one of values, and a dvc.lock that names both."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    named = regression_input.description.model_copy(update={"features": ("a", "b", "c")})
    stages: dict = {}
    for name, data in ((IMAGES, image_input), (VALUES, TrainingInput(named, regression_input.samples))):
        stages |= save(name, data, tmp_path)
    with (tmp_path / "dvc.lock").open("w") as file:
        YAML().dump({"schema": "2.0", "stages": stages}, file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name: str, data: TrainingInput, root: Path) -> dict:
    """A fitted model with its test rows, and what dvc.lock would say of them."""
    model, test = f"results/{name}/model", f"data/inputs/{name}/test"
    (root / model).mkdir(parents=True)
    models.fit(linear.Settings(family="linear"), EstimatorTraining(seed=7), data, training_context())[0].save(
        root / model
    )
    save_test(data.validation, root / test)
    entries = {path: {"path": path, "hash": "md5", "md5": dvc_lock.md5(root / path)} for path in (model, test)}
    return {
        f"train@{name}": {"cmd": "train", "outs": [entries[model]]},
        f"evaluate@{name}": {"cmd": "evaluate", "deps": [entries[test], entries[model]]},
    }


def predict(*arguments: object, columns: int = 200) -> Result:
    return modelyard("predict", *map(str, arguments), columns=columns)


def write_images(data: TrainingInput, folder: Path) -> list[str]:
    for name, row in zip(("dark.png", "bright.png"), data.samples.x, strict=False):
        Image.fromarray(row.squeeze()).save(folder / name)
    return ["dark.png", "bright.png"]


def cells(line: str) -> list[str]:
    """The cells of a line of a printed table."""
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_predictions_of_images_have_class_and_probability(project, image_input):
    result = predict(IMAGES, *write_images(image_input, project))
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [cells(line) for line in result.stdout.splitlines() if line.startswith("│")]
    assert [row[:2] for row in rows] == [["dark.png", "dark"], ["bright.png", "bright"]]
    assert all(0.5 < float(row[2]) <= 1 for row in rows)


def test_an_image_of_another_shape_is_converted_with_a_warning_that_nothing_was_inverted(project):
    Image.new("RGB", (100, 50), "white").save("large.jpg")
    result = predict(IMAGES, "large.jpg")
    assert result.exit_code == 0
    assert "warning: large.jpg: size from 100 x 50 to 8 x 8, which changes its proportions, to grey" in result.stderr
    assert "warning: no image is inverted:" in result.stderr
    assert "bright" in result.stdout


def test_images_are_read_in_parts_and_the_first_of_them_are_plotted(project, monkeypatch):
    monkeypatch.setattr(predict_module, "AT_ONCE", 2)
    plotted = []
    plot = predict_module.plot_predictions
    monkeypatch.setattr(
        predict_module, "plot_predictions", lambda batch, *rest: plotted.append(len(batch)) or plot(batch, *rest)
    )
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        Image.new("L", (30, 20), 128).save(name)
    result = predict(IMAGES, *names, "-o", "answers.csv", "--show", "shown.png")
    assert result.exit_code == 0
    assert pd.read_csv("answers.csv").file.tolist() == names
    assert plotted == [2]
    assert result.stderr.count("no image is inverted") == 1


def test_a_broken_image_is_reported_the_others_are_predicted_and_the_exit_code_is_1(project, image_input):
    names = write_images(image_input, project)
    Path("broken.png").write_text("no image")
    result = predict(IMAGES, names[0], "broken.png", names[1], "absent.png", "-o", "answers.csv")
    assert result.exit_code == 1
    assert "error: broken.png: not an image" in result.stderr
    assert "error: absent.png: no such file" in result.stderr
    assert pd.read_csv("answers.csv").file.tolist() == names


@pytest.mark.parametrize("output", ["out.xlsx", "out.csv.gz", "out.CSV"])
def test_an_output_of_another_kind_than_csv_and_parquet_is_refused(output, project, image_input):
    result = predict(IMAGES, *write_images(image_input, project), "-o", output)
    assert (result.exit_code, Path(output).exists()) == (1, False)
    assert f"error: -o {output}: tables are written as .csv or .parquet; give a name such as out" in result.output


def test_an_output_that_is_a_folder_is_an_error_without_a_traceback(project, image_input):
    result = predict(IMAGES, *write_images(image_input, project), "-o", "results")
    assert result.exit_code == 1
    assert "error: results: Is a directory. Give another name" in result.output


def test_a_link_to_itself_is_an_error_of_that_file(project, image_input):
    Path("loop.png").symlink_to("loop.png")
    result = predict(IMAGES, "loop.png", *write_images(image_input, project), "-o", "answers.csv")
    assert result.exit_code == 1
    assert "error: loop.png: " in result.stderr
    assert len(pd.read_csv("answers.csv")) == 2


def test_predictions_of_a_table_are_written_with_the_numbers_of_its_rows(project, regression_input):
    rows = regression_input.samples.x[:3]
    table = pd.DataFrame(rows, columns=["a", "b", "c"]).assign(price=1)
    table.astype(object).assign(b=[rows[0, 1], "much", rows[2, 1]]).to_csv("houses.csv", index=False)
    result = predict(VALUES, "houses.csv", "--output", "answers/predictions.csv")
    assert result.exit_code == 1
    assert "warning: houses.csv: unused columns: price" in result.stderr
    assert "error: houses.csv: row 2 below the header: 'much' in column 'b', where a number belongs" in result.stderr
    assert "inverted" not in result.stderr
    written = pd.read_csv("answers/predictions.csv")
    assert written.row.tolist() == [1, 3]
    expected = models.load(project / "results" / VALUES / "model").predict(rows[[0, 2]])
    np.testing.assert_allclose(written.prediction, expected, rtol=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_predicted_and_written_part_by_part(ending: str, project, regression_input, monkeypatch):
    rows = pd.DataFrame(regression_input.samples.x[:7], columns=["a", "b", "c"])
    rows.to_parquet("houses.parquet")
    assert predict(VALUES, "houses.parquet", "-o", f"whole.{ending}").exit_code == 0
    monkeypatch.setattr(table_file, "PART", 3)
    result = predict(VALUES, "houses.parquet", "-o", f"parts.{ending}")
    assert (result.exit_code, result.stderr) == (0, "")
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    whole, parts = read(f"whole.{ending}"), read(f"parts.{ending}")
    assert parts.row.tolist() == [1, 2, 3, 4, 5, 6, 7]
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-6)


def test_a_terminated_prediction_leaves_no_part_of_a_file(project, regression_input, monkeypatch):
    monkeypatch.setattr(table_file.csv_table, "PART", 10)
    pd.DataFrame(regression_input.samples.x, columns=["a", "b", "c"]).to_csv("houses.csv", index=False)
    whole = predict_module.prediction_table
    predicted = []

    def terminate(*arguments):
        predicted.append(arguments)
        if len(predicted) == 2:
            assert len(list(project.glob(".answers.csv.*.part"))) == 1
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(*arguments)

    monkeypatch.setattr(predict_module, "prediction_table", terminate)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert predict(VALUES, "houses.csv", "-o", "answers.csv").exit_code != 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(predicted) == 2
    assert not [path for path in project.iterdir() if "answers" in path.name]


def test_of_many_errors_the_first_hundred_are_printed(project):
    Path("houses.csv").write_text("a,b,c\n" + "1,x,3\n" * 150 + "1,2,3\n")
    result = predict(VALUES, "houses.csv", "-o", "answers.csv")
    assert result.exit_code == 1
    assert result.stderr.count("below the header") == 100
    assert "error: more than 100; further ones are not printed" in result.stderr
    assert len(pd.read_csv("answers.csv")) == 1


def test_a_narrow_terminal_shows_the_whole_name_of_a_file(project, image_input):
    name = f"{'a_long_name_' * 8}.png"
    Image.fromarray(image_input.samples.x[0].squeeze()).save(name)
    result = predict(IMAGES, name, columns=80)
    first, second = result.stdout.splitlines()
    assert first == f"file {name}"
    assert second.startswith("  class dark, probability 0.")


def test_a_narrow_terminal_names_only_what_is_outside_the_training_samples(capsys: pytest.CaptureFixture[str]):
    columns = {"row": np.array([1, 2]), "prediction": np.array([1.5, 2.5]), COLUMN: np.array(["", "a 9 (1 to 2)"])}
    _print([columns], Console(width=20))
    assert capsys.readouterr().out.splitlines() == [
        "row 1",
        "  prediction 1.5",
        "row 2",
        f"  prediction 2.5, {COLUMN} a 9 (1 to 2)",
    ]


def test_a_name_in_brackets_is_printed_as_it_is(project, image_input):
    for name in ("a[red].png", "[b].png"):
        Image.fromarray(image_input.samples.x[0][..., 0]).save(name)
    result = predict(IMAGES, "a[red].png", "[b].png")
    assert "a[red].png" in result.stdout
    assert "[b].png" in result.stdout


def test_a_threshold_is_printed_beside_the_predictions(image_input, capsys: pytest.CaptureFixture[str]):
    threshold = DecisionThreshold(value=0.375, goal="f1", validation_samples=16, validation=0.9, validation_at_half=0.8)
    for value, printed in (
        (None, ""),
        (
            threshold,
            "class bright from a probability of 0.375 on: the threshold was chosen on validation samples for the best "
            "f1\n",
        ),
    ):
        _print_threshold(image_input.description.model_copy(update={"threshold": value}))
        assert capsys.readouterr() == ("", printed)


def test_where_nothing_can_be_read_nothing_is_written(project):
    Path("houses.csv").write_text("a,b\n1,2\n")
    result = predict(VALUES, "houses.csv", "-o", "predictions.csv")
    assert result.exit_code == 1
    assert "1 of 3 columns are missing: c" in result.stderr
    assert "Nothing is left to predict." in result.stderr
    assert not Path("predictions.csv").exists()


def test_a_test_sample_is_predicted_beside_its_true_class_and_plotted(project, image_input):
    result = predict(IMAGES, "--test-row", 3, "--test-row", 0, "--show", "plots/samples.png")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [cells(line) for line in result.stdout.splitlines() if line.startswith("│")]
    names = [image_input.description.classes[image_input.validation.y[number]] for number in (3, 0)]
    assert [row[:2] for row in rows] == [["3", names[0]], ["0", names[1]]]
    assert Image.open("plots/samples.png").format == "PNG"


def test_a_test_sample_that_does_not_exist_is_refused_with_the_numbers_that_do(project):
    result = predict(IMAGES, "--test-row", 16)
    assert result.exit_code == 1
    assert "error: no test row 16; they are numbered 0 to 15" in result.output


@pytest.mark.parametrize("file", [f"results/{IMAGES}/model/model.skops", f"results/{IMAGES}/model/input.json"])
def test_a_tampered_model_is_refused_before_it_is_opened(file, project, image_input):
    with Path(file).open("ab") as content:
        content.write(b" ")
    result = predict(IMAGES, *write_images(image_input, project))
    assert result.exit_code == 1
    assert f"error: results/{IMAGES}/model was refused: it is not what the pipeline made." in result.output
    assert "bright" not in result.output


def test_tampered_test_samples_are_refused(project):
    np.save(f"data/inputs/{IMAGES}/test/y.npy", np.zeros(16, np.uint8))
    result = predict(IMAGES, "--test-row", 0)
    assert result.exit_code == 1
    assert f"error: data/inputs/{IMAGES}/test was refused" in result.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["digits_mpl", "7.png"], "no such experiment: digits_mpl; did you mean digits_mlp?"),
        (
            ["digits_cnn", "7.png"],
            "dvc.lock has no train@digits_cnn: it was never built. Run: modelyard run digits_cnn",
        ),
        ([IMAGES], "give either files or --test-row"),
        ([IMAGES, "7.png", "--test-row", 1], "give either files or --test-row"),
        ([IMAGES, "7.png", "--show", "7.jpg"], "the plot is written as PNG; give a name such as 7.png"),
        ([IMAGES, "7.png", "--show", "./7.png"], "7.png is an input file and would be overwritten"),
        ([VALUES, "houses.csv", "-o", "houses.csv"], "houses.csv is an input file and would be overwritten"),
        ([VALUES, "houses.csv", "--show", "houses.png"], "--show draws images and texts"),
        (["mnist@champion", "--test-row", 1], "name the experiment"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(arguments, message, project):
    before = sorted(project.rglob("*"))
    result = predict(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert sorted(project.rglob("*")) == before


@pytest.mark.slow
def test_after_a_real_run_a_test_sample_is_predicted_and_a_tampered_model_refused(clone: Path, run: Run):
    with editing_params(clone) as params:
        add_linear("digits_linear", "digits", params)
        keep_only(params, ["digits_linear"])
    run("modelyard", "run", "digits_linear")
    kept = pd.read_csv(clone / "results" / "digits_linear" / "predictions.csv").loc[17]
    run("modelyard", "predict", "digits_linear", "--test-row", "17", "-o", "17.csv", "--show", "17.png")
    (written,) = pd.read_csv(clone / "17.csv").to_dict("records")
    assert (written["test row"], written["truth"], written["class"]) == (17, kept.truth, kept.prediction)
    assert written["probability"] == pytest.approx(kept.probability, abs=1e-5)

    model = clone / "results" / "digits_linear" / "model" / "model.skops"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes() + b"!")
    refused = run("modelyard", "predict", "digits_linear", "--test-row", "17", check=False)
    assert refused.returncode == 1
    advice = re.search(r"dvc checkout --force \S+model", refused.stderr)
    assert advice, refused.stderr
    subprocess.run(advice.group().split(), cwd=clone, check=True, capture_output=True)
    run("modelyard", "predict", "digits_linear", "--test-row", "17")
