"""Where the results of an experiment are, the stages that write them, and reading them."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import PARAMS, ROOT

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_json
from modelyard.params.project import EXPERIMENT_SECTIONS, Project
from modelyard.params.results import (
    ExperimentResults,
    evaluate_stage,
    results_folder,
    results_of,
    train_stage,
)


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


@pytest.fixture
def results(tmp_path: Path) -> ExperimentResults:
    write_json(tmp_path / "metrics.json", {"mae": 3.0})
    write_json(tmp_path / "details.json", {"rows": 102, "intervals": {"mae": [2.5, 3.5]}})
    (tmp_path / "history.csv").write_text("epoch,loss\n1,9.5\n2,1.25\n")
    return ExperimentResults(tmp_path)


@pytest.mark.parametrize(
    ("experiment", "folder", "train", "evaluate"),
    [
        ("mnist_cnn", "results/mnist_cnn", "train@mnist_cnn", "evaluate@mnist_cnn"),
        (
            "mnist_transfer",
            "results/mnist_transfer",
            "train_transfer@mnist_transfer",
            "evaluate_transfer@mnist_transfer",
        ),
        (
            "cifar10_vgg16",
            "pretrained/results/cifar10_vgg16",
            "pretrained/dvc.yaml:train@cifar10_vgg16",
            "pretrained/dvc.yaml:evaluate@cifar10_vgg16",
        ),
    ],
)
def test_each_section_has_its_results_folder_and_stages(
    project: Project, experiment: str, folder: str, train: str, evaluate: str
):
    section = project.section_of(experiment)
    assert results_folder(section, experiment) == folder
    assert results_of(project, experiment, Path("/project")) == ExperimentResults(Path("/project") / folder)
    assert train_stage(section, experiment) == train
    assert evaluate_stage(section, experiment) == evaluate


def test_an_unknown_experiment_is_refused_with_the_nearest_name(project: Project):
    with pytest.raises(ModelyardError, match=r"no such experiment: mnist_cn; did you mean mnist_cnn\?"):
        results_of(project, "mnist_cn")


@pytest.mark.parametrize("section", EXPERIMENT_SECTIONS)
@pytest.mark.parametrize("name", [train_stage, evaluate_stage])
def test_dvc_yaml_has_these_stages_for_each_entry_of_the_section(section: str, name):
    file, _, stage = name(section, "x").rpartition(":")
    (definition,) = [
        entry for group, entry in YAML(typ="safe").load(ROOT / (file or "dvc.yaml"))["stages"].items()
        if f"{group}@x" == stage
    ]  # fmt: skip
    assert definition["foreach"] == f"${{{section}}}"
    assert results_folder(section, "${key}") in definition["do"]["cmd"]


def test_results_are_read(results: ExperimentResults):
    assert results.is_evaluated
    assert results.metrics == {"mae": 3.0}
    assert results.details["rows"] == 102
    assert results.intervals == {"mae": (2.5, 3.5)}
    assert results.history().loss.tolist() == [9.5, 1.25]


def test_results_without_a_model_are_evaluated_but_not_built(results: ExperimentResults):
    assert not results.is_built
    results.model.mkdir()
    assert results.is_built


@pytest.mark.parametrize("file", ["metrics.json", "details.json"])
def test_without_metrics_or_details_nothing_is_evaluated(results: ExperimentResults, file: str):
    (results.folder / file).unlink()
    assert not results.is_evaluated


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("metrics.json", "", "metrics.json: not valid JSON"),
        ("metrics.json", "[1]", "metrics.json: not what an evaluation writes (Input should be a valid dictionary)"),
        ("metrics.json", '{"mae": "much"}', "metrics.json: not what an evaluation writes (mae: "),
        ("metrics.json", '{"mae": NaN}', "metrics.json: not what an evaluation writes (mae: "),
        ("metrics.json", "<<<<<<< HEAD\n{\n", "metrics.json, line 1: unresolved merge conflict"),
        ("metrics.json", '{"accuracy": 0.9}', "metrics.json has accuracy, but not mae: it is of another task"),
        ("details.json", "{}", "details.json: not what an evaluation writes"),
        ("details.json", '{"intervals": {"mae": [1]}}', "details.json: not what an evaluation writes (mae.1: "),
        ("details.json", '{"intervals": {}}', "no interval of mae"),
    ],
)
def test_result_files_that_no_evaluation_wrote_are_refused(
    results: ExperimentResults, file: str, content: str, reason: str
):
    assert results.compared(["mae"]) == {"mae": (3.0, 2.5, 3.5)}
    (results.folder / file).write_text(content)
    with pytest.raises(ModelyardError) as raised:
        results.compared(["mae"])
    assert reason in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'a,b\n1,2,3\n"'])
def test_a_learning_curve_that_is_no_table_is_refused(results: ExperimentResults, content: bytes):
    (results.folder / "history.csv").write_bytes(content)
    with pytest.raises(ModelyardError, match=r"history\.csv: not a CSV table"):
        results.history()


@pytest.mark.parametrize("file", [ROOT / ".gitignore", ROOT / "src" / "modelyard" / "cli" / "templates" / "gitignore"])
def test_what_is_outside_git_is_what_git_ignores_because_dvc_keeps_it(file: Path) -> None:
    of_dvc = file.read_text(encoding="utf-8").partition("\n\n")[0]
    ignored = re.findall(r"^/results/\*/(.+)$", of_dvc, flags=re.MULTILINE)
    assert {path.name for path in ExperimentResults(Path("results/one")).outside_git} == set(ignored)
