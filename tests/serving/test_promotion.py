"""Promotion: which model becomes champion, and the recorded reason."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
from support.built_experiments import (
    PARAMS,
    build_experiment,
    convert_and_lock,
    fit_model,
    line_samples,
    lock_experiment,
)
from support.paths import ROOT

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json, write_text
from modelyard.data.inputs import save_test
from modelyard.data.samples import Samples
from modelyard.params.project import Project
from modelyard.serving import engines, promotion, registry
from modelyard.serving.onnx_model import OnnxModel
from modelyard.serving.promotion import Promotion, SeedComparison, registered_name
from modelyard.serving.registry import CHALLENGER, CHAMPION

TEST = line_samples(200, seed=1)


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """Experiments on a line: its mean, two fits that differ by little, one with a leak, one with other test rows."""
    (tracked_project / "params.yaml").write_text(PARAMS)
    build_experiment("mean", fit_model("baseline", line_samples(40)), TEST, "line", tracked_project)
    build_experiment("fit", fit_model("linear", line_samples(400)), TEST, "line", tracked_project)
    build_experiment("fit_again", fit_model("linear", line_samples(400, seed=2)), TEST, "line", tracked_project)
    build_experiment(
        "leaky", fit_model("linear", line_samples(400), scaling="minmax_per_split"), TEST, "line", tracked_project
    )
    build_experiment(
        "elsewhere", fit_model("linear", line_samples(400)), line_samples(200, seed=3), "other", tracked_project
    )
    return tracked_project


def promote(experiment: str, force: str = "") -> Promotion:
    return promotion.promote(params.load(), experiment, Path.cwd(), force)


def alias(name: str) -> str | None:
    """The experiment that an alias of `line` points to."""
    found = registry.aliased("line", name)
    return found and found.tags["experiment"]


def test_the_first_model_becomes_champion_and_its_metric_is_recorded(project: Path) -> None:
    done = promote("mean")
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("mean", None)
    assert done.reason == "There was no champion before it."
    assert done.version.tags["metric"] == "correlation 0 (0 to 0)"


def test_a_significantly_better_model_becomes_champion_and_the_interval_is_recorded(project: Path) -> None:
    promote("mean")
    promote("fit")
    assert alias(CHAMPION) == "fit"
    tags = mlflow.MlflowClient().get_model_version_by_alias("line", CHAMPION).tags
    assert 0.8 < float(tags["gain_low"]) < float(tags["gain"]) < float(tags["gain_high"]) <= 1
    assert "on the same 200 test samples" in tags["reason"]
    assert "significantly better (95 % paired bootstrap)" in tags["reason"]
    assert tags["replaced"] == "1"
    assert registry.roll_back("line")[0].tags["experiment"] == "mean"


@pytest.mark.parametrize(
    "candidate, words",
    [("mean", "significantly worse (95 % paired bootstrap)"), ("fit_again", "no significant difference")],
)
def test_a_model_that_is_not_significantly_better_becomes_challenger(candidate: str, words: str, project: Path) -> None:
    promote("fit")
    done = promote(candidate)
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("fit", candidate)
    assert words in done.reason
    assert words in mlflow.MlflowClient().get_model_version_by_alias("line", CHALLENGER).tags["reason"]


def test_groups_of_samples_make_a_comparison_too_sure_which_is_said(project: Path) -> None:
    settings = Path("params.yaml")
    promote("mean")
    assert "independent" not in promote("fit").reason
    settings.write_text(settings.read_text().replace("test_seed: 1}", "test_seed: 1, group: x}"))
    assert promote("mean").reason.endswith("The samples of each x count as independent, which makes that too sure.")


def test_force_makes_a_champion_and_records_its_reason_beside_the_decision(project: Path) -> None:
    promote("fit")
    promote("mean", force="it explains itself")
    assert alias(CHAMPION) == "mean"
    tags = mlflow.MlflowClient().get_model_version_by_alias("line", CHAMPION).tags
    assert tags["forced"] == "it explains itself"
    assert "significantly worse (95 % paired bootstrap)" in tags["reason"]
    assert float(tags["gain_high"]) < 0


def test_a_model_with_a_leak_never_becomes_champion(project: Path) -> None:
    done = promote("leaky")
    assert (alias(CHAMPION), alias(CHALLENGER)) == (None, "leaky")
    assert "scaled by their own range (minmax_per_split)" in done.reason


def test_a_champion_with_other_test_samples_is_not_compared(project: Path) -> None:
    promote("mean")
    done = promote("elsewhere")
    assert (alias(CHAMPION), alias(CHALLENGER)) == ("mean", "elsewhere")
    assert "version 1 (mean), was evaluated on other test samples" in done.reason
    assert "gain" not in done.version.tags


def test_a_champion_whose_files_are_gone_stays_unless_forced(project: Path) -> None:
    promote("mean")
    stored = mlflow.artifacts.download_artifacts(f"models:/line/1/{registry.FOLDER}")
    (Path(stored) / "input.json").unlink()
    assert promote("fit").reason.startswith("The champion could not be evaluated: ")
    assert alias(CHAMPION) == "mean"
    promote("fit", force="the old files are gone")
    assert alias(CHAMPION) == "fit"


def test_a_champion_is_registered_with_its_onnx_file_which_answers_for_it(project: Path) -> None:
    promote("mean")
    convert_and_lock("fit", line_samples(400), project)
    version = promote("fit").version
    answering = engines.load_registered(version, "auto")
    assert isinstance(answering, OnnxModel)
    native = engines.load_registered(version, "sklearn")
    np.testing.assert_allclose(answering.predict(TEST.x), native.predict(TEST.x), rtol=1e-4)
    with pytest.raises(ModelyardError, match=r"has no ONNX file\. Register it again: modelyard promote"):
        engines.load_registered(registry.history()[0], "onnx")


def test_the_champion_is_not_registered_twice(project: Path) -> None:
    promote("fit")
    done = promote("fit", force="once more")
    assert (done.version.number, done.alias) == ("1", CHAMPION)
    assert len(mlflow.MlflowClient().search_model_versions("name='line'")) == 1


def test_the_decision_is_reproducible(project: Path) -> None:
    promote("fit")
    one, other = (promote("fit_again").version.tags for _ in range(2))
    assert one == other


@pytest.mark.parametrize("tampered", ["results/fit/model/model.skops", "data/inputs/line/test/y.npy"])
def test_a_file_that_differs_from_dvc_lock_is_refused(tampered: str, project: Path) -> None:
    file = project / tampered
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ModelyardError, match="was refused: it is not what the pipeline made"):
        promote("fit", force="whatever")
    assert mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db").search_registered_models() == []


def test_changed_test_samples_count_as_others(project: Path) -> None:
    promote("mean")
    test = project / "data" / "inputs" / "line" / "test"
    save_test(Samples(TEST.x[:-1], TEST.y[:-1]), test)
    lock_experiment("fit", project / "results" / "fit" / "model", test, project)
    assert "was evaluated on other test samples" in promote("fit").reason


def test_slices_change_no_test_samples_and_comparisons_on_them_stay_counted(project: Path) -> None:
    promote("mean")
    promote("fit")
    test = project / "data" / "inputs" / "line" / "test"
    save_test(TEST, test, {"side": np.where(TEST.x[:, 0] > 0, "right", "left")})
    for name in ("fit", "fit_again"):
        lock_experiment(name, project / "results" / name / "model", test, project)
    assert promote("fit_again").version.tags["comparison"] == "2"
    promotion.write_history(project)
    (of_test,) = read_json(project / promotion.HISTORY)["test_samples"].values()
    assert of_test["comparisons"] == 2


def test_a_champion_whose_test_samples_were_renewed_is_registered_with_these_and_compared_on_them(
    project: Path,
) -> None:
    promote("mean")
    promote("fit_again")
    test = project / "data" / "inputs" / "line" / "test"
    save_test(line_samples(200, seed=4), test)
    for name in ("fit", "fit_again"):
        lock_experiment(name, project / "results" / name / "model", test, project)
    assert "was evaluated on other test samples" in promote("fit").reason
    done = promote("fit_again")
    assert (done.version.number, done.alias) == ("4", CHAMPION)
    assert done.reason == "It is the champion already, and was evaluated on other test samples."
    assert promote("fit").version.tags["comparison"] == "1", "the first on the new samples"


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
        ("mnist_detector", "mnist_on_canvas"),
        ("mnist_autoencoder", "mnist-reconstruction"),
    ],
)
def test_a_model_is_registered_under_its_data_set_and_a_different_task(
    experiment: str, name: str, shipped: Project
) -> None:
    assert registered_name(shipped, experiment) == name


def test_comparisons_on_the_same_test_samples_are_counted_and_repeated_ones_keep_their_number(project: Path) -> None:
    promote("mean")
    tags = [promote(name).version.tags for name in ("fit", "fit_again", "mean", "fit_again")]
    assert [each["comparison"] for each in tags] == ["1", "2", "3", "2"]
    widths = [float(each["gain_high"]) - float(each["gain_low"]) for each in tags]
    assert widths[3] == pytest.approx(widths[1])
    assert "98.33 % paired bootstrap; comparison 2 on these test samples" in tags[1]["reason"]
    promotion.write_history(project)
    (of_test,) = read_json(project / promotion.HISTORY)["test_samples"].values()
    assert (of_test["comparisons"], len(of_test["versions"])) == (3, 5)


def test_comparisons_that_another_store_has_decided_count_and_stay_recorded(project: Path) -> None:
    md5 = promotion.candidate_of(params.load(), "fit", project).test_md5
    elsewhere = [
        {"model": "line", "version": "1", "experiment": "old", "reason": "There was no champion before it."},
        {"model": "line", "version": "6", "experiment": "older", "comparison": "4"},
    ]
    history = {md5: {"comparisons": 4, "versions": elsewhere}, "other": {"comparisons": 2, "versions": []}}
    write_json(project / promotion.HISTORY, {"test_samples": history})
    promote("mean")
    promotion.write_history(project)
    assert promote("fit").version.tags["comparison"] == "5"
    for _ in range(2):
        promotion.write_history(project)
    found = read_json(project / promotion.HISTORY)["test_samples"]
    assert (found[md5]["comparisons"], found["other"]["comparisons"]) == (5, 2)
    assert found[md5]["versions"][:2] == elsewhere
    assert [each["experiment"] for each in found[md5]["versions"][2:]] == ["mean", "fit"]


def test_versions_of_another_project_on_the_same_store_are_not_recorded(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote("mean")
    found = registry.history()
    other = registry.Version("house", "1", {"experiment": "theirs", "test_md5": "a" * 32 + ".dir"})
    monkeypatch.setattr(registry, "history", lambda: [*found, other])
    promotion.write_history(project)
    (of_test,) = read_json(project / promotion.HISTORY)["test_samples"].values()
    assert [each["experiment"] for each in of_test["versions"]] == ["mean"]


@pytest.mark.parametrize("content", ["<<<<<<< HEAD", "[]", "{}", '{"test_samples": {"md5": {"comparisons": "many"}}}'])
def test_a_damaged_history_is_refused_and_nothing_is_registered(content: str, project: Path) -> None:
    write_text(project / promotion.HISTORY, content)
    with pytest.raises(ModelyardError, match=r"reports/promotions\.json.*(merge conflict|git checkout)"):
        promote("mean")
    assert alias(CHAMPION) is None


@pytest.mark.parametrize("is_better", [True, False])
def test_a_candidate_has_to_be_better_over_seeds_as_well_where_that_is_asked_for(
    is_better: bool, project: Path
) -> None:
    promote("mean")
    over_seeds = SeedComparison(is_better, "Over 5 seeds: as they say.")
    done = promotion.promote(params.load(), "fit", Path.cwd(), over_seeds=over_seeds)
    assert alias(CHAMPION) == ("fit" if is_better else "mean")
    assert done.reason.endswith("significantly better (95 % paired bootstrap). Over 5 seeds: as they say.")
    assert done.version.tags["over_seeds"] == "Over 5 seeds: as they say."


def test_the_experiment_of_the_champion_is_known_as_long_as_it_gives_its_model(project: Path) -> None:
    champion = promote("mean").version
    assert promotion.experiment_of(champion, params.load(), project) == "mean"
    for gone in (champion.tags | {"experiment": "removed"}, champion.tags | {"model_md5": "other"}):
        with pytest.raises(ModelyardError, match="cannot be trained with other seeds"):
            promotion.experiment_of(registry.Version("line", "1", gone), params.load(), project)
