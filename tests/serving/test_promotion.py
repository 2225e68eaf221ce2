"""Promotion: who becomes champion, who does not, and what is kept as the reason."""

from pathlib import Path

import mlflow
import pytest
from support.paths import ROOT
from support.stores import PARAMS, built, fitted, lock, rows

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import save_test
from modelyard.data.samples import Samples
from modelyard.params.project import Project
from modelyard.serving import promotion, registry
from modelyard.serving.promotion import Promotion, registered_name
from modelyard.serving.registry import CHALLENGER, CHAMPION

TEST = rows(200, seed=1)


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """Experiments on a line: its mean, two fits that differ by little, one with a leak, one with other test rows."""
    (tracked_project / "params.yaml").write_text(PARAMS)
    built("mean", fitted("baseline", rows(40)), TEST, "line", tracked_project)
    built("fit", fitted("linear", rows(400)), TEST, "line", tracked_project)
    built("fit_again", fitted("linear", rows(400, seed=2)), TEST, "line", tracked_project)
    built("leaky", fitted("linear", rows(400), scaling="minmax_per_split"), TEST, "line", tracked_project)
    built("elsewhere", fitted("linear", rows(400)), rows(200, seed=3), "other", tracked_project)
    return tracked_project


def promote(experiment: str, force: str = "") -> Promotion:
    return promotion.promote(params.load(), experiment, Path.cwd(), force)


def alias(name: str) -> str | None:
    """The experiment that an alias of `line` points to."""
    found = registry.aliased("line", name)
    return found and found.tags["experiment"]


def test_the_first_becomes_champion_unopposed_and_its_figure_is_kept(project: Path) -> None:
    done = promote("mean")
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("mean", None)
    assert done.reason == "The first one wins unopposed."
    assert done.version.tags["figure"] == "correlation 0 (0 to 0)"


def test_a_better_one_becomes_champion_and_the_interval_is_kept_as_the_reason(project: Path) -> None:
    promote("mean")
    promote("fit")
    assert alias(CHAMPION) == "fit"
    tags = mlflow.MlflowClient().get_model_version_by_alias("line", CHAMPION).tags
    assert 0.8 < float(tags["gain_low"]) < float(tags["gain"]) < float(tags["gain_high"]) <= 1
    assert "on the same 200 test samples" in tags["reason"]
    assert "significantly better" in tags["reason"]
    assert tags["replaced"] == "1"
    assert registry.roll_back("line")[0].tags["experiment"] == "mean"


@pytest.mark.parametrize(
    "candidate, words", [("mean", "significantly worse"), ("fit_again", "no significant difference")]
)
def test_one_that_is_not_better_becomes_challenger_and_is_told_why(candidate: str, words: str, project: Path) -> None:
    promote("fit")
    done = promote(candidate)
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("fit", candidate)
    assert words in done.reason
    assert words in mlflow.MlflowClient().get_model_version_by_alias("line", CHALLENGER).tags["reason"]


def test_force_makes_champion_and_keeps_its_reason_beside_the_verdict(project: Path) -> None:
    promote("fit")
    promote("mean", force="it explains itself")
    assert alias(CHAMPION) == "mean"
    tags = mlflow.MlflowClient().get_model_version_by_alias("line", CHAMPION).tags
    assert tags["forced"] == "it explains itself"
    assert "significantly worse" in tags["reason"]
    assert float(tags["gain_high"]) < 0


def test_a_leak_in_the_test_rows_wins_nothing_even_unopposed(project: Path) -> None:
    done = promote("leaky")
    assert (alias(CHAMPION), alias(CHALLENGER)) == (None, "leaky")
    assert "scaled by their own range (minmax_per_split)" in done.reason


def test_a_champion_of_other_test_rows_is_not_compared(project: Path) -> None:
    promote("mean")
    done = promote("elsewhere")
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("mean", "elsewhere")
    assert "version 1 (mean), was tested on other rows" in done.reason
    assert "gain" not in done.version.tags


def test_a_champion_whose_files_are_gone_keeps_its_place_unless_forced(project: Path) -> None:
    promote("mean")
    stored = mlflow.artifacts.download_artifacts(f"models:/line/1/{registry.FOLDER}")
    (Path(stored) / "input.json").unlink()
    assert promote("fit").reason.startswith("The champion could not be asked: ")
    assert alias(CHAMPION) == "mean"
    promote("fit", force="the old files are gone")
    assert alias(CHAMPION) == "fit"


def test_the_champion_is_not_registered_twice(project: Path) -> None:
    promote("fit")
    done = promote("fit", force="once more")
    assert (done.version.number, done.alias) == ("1", CHAMPION)
    assert len(mlflow.MlflowClient().search_model_versions("name='line'")) == 1


def test_the_same_two_are_always_judged_alike(project: Path) -> None:
    promote("fit")
    one, other = (promote("fit_again").version.tags for _ in range(2))
    assert one == other


@pytest.mark.parametrize("tampered", ["results/fit/model/model.skops", "data/inputs/line/test/y.npy"])
def test_a_file_that_is_not_what_the_pipeline_made_is_refused(tampered: str, project: Path) -> None:
    file = project / tampered
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ModelyardError, match="was refused: it is not what the pipeline made"):
        promote("fit", force="whatever")
    assert mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db").search_registered_models() == []


def test_test_rows_that_changed_and_were_locked_anew_are_other_rows(project: Path) -> None:
    promote("mean")
    test = project / "data" / "inputs" / "line" / "test"
    save_test(Samples(TEST.x[:-1], TEST.y[:-1]), test)
    lock("fit", project / "results" / "fit" / "model", test, project)
    assert "was tested on other rows" in promote("fit").reason


@pytest.fixture(scope="module")
def shipped() -> Project:
    """This project's own params.yaml."""
    return params.load(ROOT / "params.yaml")


@pytest.mark.parametrize(
    "experiment, name",
    [
        ("mnist_cnn", "mnist"),
        ("mnist_transfer", "mnist"),
        ("cifar10_vgg16", "cifar10"),
        ("digits_detector", "digits_on_canvas"),
        ("mnist_autoencoder", "mnist-reconstruction"),
    ],
)
def test_a_model_bears_its_data_sets_name_and_that_of_a_task_of_its_own(
    experiment: str, name: str, shipped: Project
) -> None:
    assert registered_name(shipped, experiment) == name
