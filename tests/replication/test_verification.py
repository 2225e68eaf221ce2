"""The verdict on a rebuild: by bytes, by metrics and the spread that is expected, and the reasons that are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from scipy.stats import t
from support.replications import series_of

from modelyard.core import machine
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_json
from modelyard.models import Runtime
from modelyard.orchestration import dvc_lock
from modelyard.params.project import Project
from modelyard.replication.verification import RebuildVerdict, Verification, check_names, compare
from modelyard.tracking import lineage

METRICS = {"loss": 1.0, "mae": 2.0, "mse": 1.0, "r2": 0.5, "correlation": 0.8}
HERE = {"processor": "Here", "cpu_features": ["avx", "avx2"], "packages": {"numpy": "1", "keras": "3"}}
SEEDS = "experiment,splits,metric,seeds,mean,sd,low,high,least,most,published,z,inside,settings\n"
OWN = ("train@linear", "evaluate@linear")
UPSTREAM = ("normalise@line", *OWN, "export@linear")


def build(folder: Path, metrics: dict[str, float], **other: Any) -> None:
    """Write results of the experiment `linear`, and their dvc.lock; `other` replaces parts of that."""
    results = folder / "results" / "linear"
    intervals = {name: [value - 0.1, value + 0.1] for name, value in METRICS.items()}
    write_json(results / "metrics.json", metrics)
    write_json(results / "details.json", {"intervals": intervals})
    entry = {"code": "1", "inputs": "2", "model": "3", "epochs": 4, "onnx": "5"} | other
    code = [{"path": "src/model.py", "md5": entry["code"]}]
    training = [{"path": "data/inputs/line/training", "md5": entry["inputs"]}]
    evaluated = {"path": "results/linear/metrics.json", "md5": dvc_lock.md5(results / "metrics.json")}
    stages = {
        "normalise@line": {"deps": code, "outs": training},
        "train@linear": {
            "deps": code + training,
            "params": {"params.yaml": {"experiments.linear.training": {"epochs": entry["epochs"]}}},
            "outs": [{"path": "results/linear/model", "md5": entry["model"]}],
        },
        "evaluate@linear": {"deps": code + training, "outs": [evaluated]},
        "export@linear": {"deps": code, "outs": [{"path": "results/linear/onnx", "md5": entry["onnx"]}]},
    }
    YAML().dump({"schema": "2.0", "stages": stages}, folder / "dvc.lock")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with results, on a machine called Here, which has recorded them."""
    monkeypatch.setattr(machine, "describe", lambda: HERE)
    build(tmp_path / "root", METRICS)
    lineage.record(dict.fromkeys(OWN), Runtime(), tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def verify(project: Project, root: Path) -> Callable[..., Verification]:
    """The verdict on a rebuild with these changes."""

    def compared(metrics: dict[str, float] | None = None, **other: Any) -> Verification:
        build(root.parent / "rebuilt", METRICS | (metrics or {}), **other)
        return compare(project, "linear", root, root.parent / "rebuilt", UPSTREAM)

    return compared


def test_equal_bytes_need_no_reason_even_if_the_code_is_other(verify) -> None:
    found = verify(code="edited")
    assert (found.verdict, found.files, found.differing, found.reasons) == (RebuildVerdict.EQUAL, 3, (), ())


def test_a_model_of_other_bytes_with_equal_metrics_is_within_the_spread(verify) -> None:
    found = verify(model="other bits")
    assert found.verdict is RebuildVerdict.WITHIN
    assert found.differing == ("results/linear/model",)
    assert found.metrics == ("all metrics are equal",)
    assert found.reasons == ("none found: code, settings, versions and processor are those of the recorded build",)


def test_an_onnx_file_of_other_bytes_is_named(verify) -> None:
    found = verify(onnx="other bits")
    assert (found.verdict, found.differing) == (RebuildVerdict.WITHIN, ("results/linear/onnx",))


@pytest.mark.parametrize(
    "mae, verdict", [(2.09, RebuildVerdict.WITHIN), (2.11, RebuildVerdict.DIFFERENT), (1.89, RebuildVerdict.DIFFERENT)]
)
def test_without_seeds_the_bootstrap_interval_decides(mae: float, verdict: RebuildVerdict, verify) -> None:
    found = verify({"mae": mae})
    assert found.verdict is verdict
    where = "inside" if verdict is RebuildVerdict.WITHIN else "outside"
    assert found.metrics == (f"mae 2 -> {mae}, {where} 1.9 to 2.1 (95% confidence interval; no 5 seeds)",)


def test_with_seeds_the_prediction_interval_of_another_run_decides(verify, project: Project, root: Path) -> None:
    row = f"linear,False,mae,8,2.05,0.02,2.03,2.07,2.0,2.1,,,,{series_of(project, 'linear').settings_digest}"
    (root / "reports" / "replication.csv").write_text(f"{SEEDS}{row}\nlinear,True,mae,8,9,9,9,9,9,9,,,,\n")
    half = t.ppf(1 - 0.05 / 4 / 2, 7) * 0.02 * (1 + 1 / 8) ** 0.5
    for mae, verdict in ((2.05 + half - 1e-4, RebuildVerdict.WITHIN), (2.05 + half + 1e-4, RebuildVerdict.DIFFERENT)):
        found = verify({"mae": mae})
        assert found.verdict is verdict
        assert "95% of runs with other seeds have all 4 metrics inside, by 8 seeds" in found.metrics[0]


def test_seeds_with_other_settings_do_not_count(verify, project: Project, root: Path) -> None:
    row = "linear,False,mae,8,2.05,0.02,2.03,2.07,2.0,2.1,,,,"
    for settings, source in (
        (series_of(project, "linear").settings_digest, "by 8 seeds"),
        (series_of(project, "linear", scaling="minmax").settings_digest, "confidence interval; no 5 seeds"),
    ):
        (root / "reports" / "replication.csv").write_text(f"{SEEDS}{row}{settings}\n")
        assert source in verify({"mae": 2.05}).metrics[0]


@pytest.mark.parametrize("row", ["linear,False,mae,4,2,9,1,3,1,3,,,,", "boosting,False,mae,8,2,9,1,3,1,3,,,,"])
def test_too_few_seeds_or_those_of_another_experiment_do_not_count(
    row: str, verify, project: Project, root: Path
) -> None:
    settings = series_of(project, row.partition(",")[0]).settings_digest
    (root / "reports" / "replication.csv").write_text(f"{SEEDS}{row}{settings}\n")
    assert verify({"mae": 2.2}).verdict is RebuildVerdict.DIFFERENT


def test_seeds_that_all_give_the_same_value_allow_no_other(verify, project: Project, root: Path) -> None:
    settings = series_of(project, "linear").settings_digest
    (root / "reports" / "replication.csv").write_text(f"{SEEDS}linear,False,mae,8,2,0,2,2,2,2,,,,{settings}\n")
    assert verify({"mae": 2.0 + 1e-12}).verdict is RebuildVerdict.WITHIN
    assert verify({"mae": 2.001}).verdict is RebuildVerdict.DIFFERENT


def test_one_metric_outside_makes_it_different(verify) -> None:
    assert verify({"mae": 2.01, "r2": 0.2}).verdict is RebuildVerdict.DIFFERENT


def test_a_metric_that_no_table_shows_is_compared_too(verify) -> None:
    found = verify({"loss": 5.0})
    assert found.verdict is RebuildVerdict.DIFFERENT
    assert any(text.startswith("loss 1 -> 5, outside") for text in found.metrics)


def test_other_code_and_settings_are_named_once(verify) -> None:
    assert verify({"mae": 2.01}, code="edited", epochs=5).reasons == (
        "src/model.py is not the file that the result was built with",
        "experiments.linear.training.epochs: 4 -> 5",
    )


def test_other_samples_from_the_same_files_are_named(verify) -> None:
    assert verify({"mae": 2.01}, inputs="other").reasons == (
        "normalise@line prepares other samples from the same files",
    )


def test_another_processor_or_version_is_named(verify, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"processor": "Here", "cpu_features": ["avx", "avx512f"], "packages": {"numpy": "2", "keras": "3"}}
    monkeypatch.setattr(machine, "describe", lambda: there | {"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}})
    assert verify({"mae": 2.01}).reasons == (
        "cpu_features: avx2 only in the recorded build; avx512f only here",
        "packages.numpy: 1 in the recorded build, 2 here",
        "variables.TF_ENABLE_ONEDNN_OPTS: nothing in the recorded build, 0 here",
    )


def test_a_build_that_was_not_recorded_is_named(verify, root: Path) -> None:
    (root / lineage.FILE).unlink()
    assert verify({"mae": 2.01}).reasons == (
        "reports/lineage.json does not have the machine and versions of the build",
    )


def test_metrics_that_are_not_those_of_dvc_lock_are_refused(verify, root: Path) -> None:
    write_json(root / "results" / "linear" / "metrics.json", METRICS | {"mae": 7.0})
    with pytest.raises(ModelyardError, match="it is not what the pipeline made"):
        verify({"mae": 2.01})


def test_an_experiment_without_results_is_refused_with_the_command_that_builds_it(project: Project, root: Path) -> None:
    check_names(project, ["linear"], root)
    with pytest.raises(ModelyardError, match=r"has no train@boosting: .* Run: modelyard run boosting"):
        check_names(project, ["linear", "boosting"], root)
    with pytest.raises(ModelyardError, match="no such experiment: linaer"):
        check_names(project, ["linaer"], root)
