"""`modelyard check`: what it prints and writes, the exit code, and the run in MLflow; for a registered model too."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from support.built_experiments import (
    PARAMS,
    build_contract,
    build_experiment,
    convert_and_lock,
    fit_model,
    line_samples,
)
from support.commands import modelyard, table_row

from modelyard import params
from modelyard.cli import check
from modelyard.data.columns import Column
from modelyard.data.contract import Measured
from modelyard.models.engine.sklearn_model import SklearnModel
from modelyard.serving import mlflow_log, promotion
from modelyard.serving.check import DriftReport
from modelyard.serving.drift import AdjustedTest, FeatureTest
from modelyard.serving.onnx_model import OnnxModel

NAMES = ("a", "b", "c")
TRAINING = line_samples(400)


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """An experiment on a line with its input contract, and tables of the same kind and of another."""
    (tracked_project / "params.yaml").write_text(PARAMS)
    model = fit_model("linear", TRAINING, features=NAMES)
    build_experiment("fit", model, line_samples(200, seed=1), "line", tracked_project)
    build_contract("line", TRAINING, tracked_project, features=NAMES)
    samples = line_samples(300, seed=2)
    table = pd.DataFrame(samples.x, columns=NAMES).assign(y=samples.y)
    table.to_csv("same.csv", index=False)
    table.assign(b=table.b + 2).to_csv("shifted.csv", index=False)
    return tracked_project


def test_samples_of_the_same_kind_have_exit_code_0(project: Path) -> None:
    result = modelyard("check", "fit", "same.csv", "--target", "y")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "No data drift was found. The correlation has not fallen by more than chance: " in result.stdout
    assert "drift" not in table_row(result.stdout, "b ")


def test_shifted_samples_have_exit_code_1_and_the_feature_is_marked(project: Path) -> None:
    result = modelyard("check", "fit", "shifted.csv", "-o", "out/drift.csv", "--show", "out/drift.png")
    assert result.exit_code == 1
    assert "drift" in table_row(result.stdout, "b ")
    assert "2 of 4 tests of 3 features and 1 output find drift: b, predicted value." in result.stdout
    assert "Samples with a value outside the training samples': b (" in result.stdout
    assert result.stderr == "warning: shifted.csv: unused columns: y\n"
    table = pd.read_csv("out/drift.csv").set_index("feature")
    assert table.drift.to_dict() == {"a": False, "b": True, "c": False, "predicted value": True}
    assert Image.open("out/drift.png").size[0] > 1000


@pytest.mark.parametrize("columns", [40, 80])
def test_a_long_name_of_a_feature_is_whole_on_a_narrow_terminal(
    columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name, numbers = "living_area_above_ground_without_the_cellar_in_square_feet", "0.0001234 (-1.489 to 1.637)"
    tests = [AdjustedTest(FeatureTest(name, "KS", 1e-100, 0.5, numbers, numbers), 1e-100, True)]
    measured = Measured((), np.zeros((5, 1)), (False,))
    report = DriftReport("fit", 5, tests, (measured, measured), Counter(), 0.1, 0.05, None)
    check._print(report, Console(width=columns))
    printed = capsys.readouterr().out
    rows = printed.partition("\n1 of 1 tests")[0].splitlines()
    assert "".join(row.partition(" ")[0] for row in rows).endswith(name)
    assert "…" not in printed


def test_a_probability_and_its_numbers_have_a_line_on_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tests = [
        AdjustedTest(FeatureTest(name, "KS", 1e-100, effect, "0 (0 to 0.9951)", "0 (0 to 1)"), 1e-100, effect > 0.1)
        for name, effect in (("brightness", 0.0), ("contrast", 0.01), ("probability of 7", 0.5))
    ]
    measured = [
        Measured(tuple(Column(name=name, kind="number") for name in names), np.zeros((1, len(names))), (False,))
        for names in (("brightness", "contrast"), ("probability of 7",))
    ]
    report = DriftReport("fit", 1, tests, tuple(measured), Counter(), 1.0, 0.05, None)
    check._print(report, Console(width=80))
    printed = capsys.readouterr().out
    assert re.search(r"\nprobability of 7 +0 \(0 to 0\.9951\) +0 \(0 to 1\) +0\.500 +1e-100 +drift *\n", printed)
    assert "\n1 of 3 tests of 2 features and 1 output finds drift: probability of 7.\n" in printed
    assert "\nWith 1 sample, effects below 1.00 may go unnoticed.\n" in printed


def test_the_result_as_json_is_all_of_standard_output(project: Path) -> None:
    result = modelyard("check", "fit", "shifted.csv", "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert (content["model"], content["drift"], content["samples"]) == ("fit", True, 300)


def test_a_check_is_a_run_with_its_files(project: Path) -> None:
    modelyard("check", "fit", "shifted.csv")
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert (run.info.run_name, run.info.status) == ("check fit", "FINISHED")
    assert run.data.tags["alarm"] == "true"
    assert run.data.metrics["effect b"] > 0.5
    files = mlflow.MlflowClient().list_artifacts(run.info.run_id, "report")
    assert [Path(file.path).name for file in files] == ["drift.csv", "drift.json", "drift.png"]


def test_features_of_any_name_are_metrics_of_the_run(tracked_project: Path) -> None:
    names = ["km/", "a+b", "a*b", "x" * 300, "x" * 299 + "y", "../up", "100 %"]
    tests = [AdjustedTest(FeatureTest(name, "KS", 1.0, 0.5, "", ""), 1.0, False) for name in names]
    measured = Measured((), np.zeros((5, 1)), (False,))
    report = DriftReport("fit", 5, tests, (measured, measured), Counter(), 0.1, 0.05, None)
    (tracked_project / "report").mkdir()
    mlflow_log.write(report, tracked_project / "report", datetime.now(UTC), datetime.now(UTC))
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    effects = [name for name in run.data.metrics if name.startswith("effect ")]
    assert len(effects) == len(names)
    assert {"effect km_", "effect a_b", "effect a_b 2", "effect .._up"} <= set(effects)


def test_a_registered_model_needs_nothing_else(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion.promote(params.load(), "fit", Path.cwd())
    of_experiment = modelyard("check", "fit", "shifted.csv", "--json")
    for name in ("params.yaml", "dvc.lock"):
        (project / name).unlink()
    found = modelyard("check", "line@champion", "shifted.csv", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout) == json.loads(of_experiment.stdout) | {"model": "line@champion"}
    predicted = modelyard("predict", "line@champion", "shifted.csv", "-o", "predictions.csv")
    assert predicted.exit_code == 0
    marked = pd.read_csv("predictions.csv").outside_training.dropna()
    assert len(marked) == json.loads(found.stdout)["outside_training"]["b"]
    assert marked.str.startswith("b ").all()


def test_the_onnx_file_answers_where_it_is_there_or_the_engine_that_is_asked_for(project: Path) -> None:
    convert_and_lock("fit", TRAINING, project)
    promotion.promote(params.load(), "fit", Path.cwd())
    for name in ("fit", "line@champion"):
        found = [check.load(name, engine) for engine in ("auto", "sklearn")]
        assert [type(model) for model, _ in found] == [OnnxModel, SklearnModel]
        assert found[0][1].metric.value == pytest.approx(found[1][1].metric.value, rel=1e-4)
        result = modelyard("check", name, "shifted.csv", "--target", "y", "--engine", "onnx")
        assert "2 of 4 tests of 3 features and 1 output find drift: b, predicted value." in result.stdout


def test_without_a_contract_a_check_says_how_to_get_one_and_predict_still_answers(project: Path) -> None:
    lock = (project / "dvc.lock").read_text().replace("contract@line", "contract@other")
    (project / "dvc.lock").write_text(lock)
    result = modelyard("check", "fit", "same.csv")
    assert result.exit_code == 1
    assert "error: the input of fit has no contract yet. Build it: modelyard run fit" in result.output
    promotion.promote(params.load(), "fit", Path.cwd())
    result = modelyard("check", "line@champion", "same.csv")
    assert (
        "line@champion was registered without an input contract. To add one: modelyard run fit, then" in result.output
    )
    for model in ("fit", "line@champion"):
        assert modelyard("predict", model, "same.csv", "-o", f"{model}.csv").exit_code == 0
        assert list(pd.read_csv(f"{model}.csv")) == ["row", "prediction"]
    (project / "dvc.lock").write_text(lock.replace("contract@other", "contract@line"))
    promotion.promote(params.load(), "fit", Path.cwd())
    assert modelyard("check", "line@champion", "same.csv").exit_code == 0


def test_a_changed_contract_is_not_used(project: Path) -> None:
    file = project / "data" / "inputs" / "line" / "contract" / "contract.json"
    file.write_text(file.read_text().replace("400", "401"))
    result = modelyard("check", "fit", "same.csv")
    assert result.exit_code == 1
    assert "data/inputs/line/contract was refused: it is not what the pipeline made." in result.output
    result = modelyard("predict", "fit", "same.csv", "-o", "predictions.csv")
    assert result.exit_code == 0
    assert "warning: values outside the training samples' are not marked: data/inputs/line/contract" in result.stderr


@pytest.mark.parametrize("option", ["-o", "--show"])
def test_new_samples_are_not_overwritten(option: str, project: Path) -> None:
    folder = project / "new.png"
    folder.mkdir()
    (project / "same.csv").rename(folder / "a.png" if option == "--show" else folder / "a.csv")
    (target,) = folder.iterdir()
    before = target.read_bytes()
    result = modelyard("check", "fit", "new.png", option, str(target.relative_to(project)))
    assert "is an input file and would be overwritten" in result.output
    assert (result.exit_code, target.read_bytes()) == (1, before)


def test_an_output_that_the_next_check_would_read_is_refused_and_so_is_a_folder_before_any_work(project: Path) -> None:
    folder = project / "new"
    folder.mkdir()
    (project / "same.csv").rename(folder / "same.csv")
    for option, name in (("--show", "drift.png"), ("-o", "drift.csv")):
        result = modelyard("check", "fit", "new", option, f"new/{name}")
        assert f"error: new/{name} would be read as a sample the next time" in result.output
    result = modelyard("check", "no such model", "new", "-o", "data")
    assert "error: data: Is a directory. Give another name" in result.output
    assert [file.name for file in folder.iterdir()] == ["same.csv"]


def test_a_plot_of_another_kind_and_files_that_are_not_there_are_errors(project: Path) -> None:
    result = modelyard("check", "fit", "same.csv", "--show", "drift.pdf")
    assert "error: --show drift.pdf: the plot is written as PNG" in result.output
    result = modelyard("check", "fit", "absent.csv")
    assert result.exit_code == 1
    assert "error: absent.csv: no such file" in result.output
    assert "error: there is no sample to check" in result.output
    result = modelyard("check", "fti", "same.csv")
    assert "error: no such experiment: fti; did you mean fit?" in result.output
