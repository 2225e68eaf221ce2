"""What the report gathers, and which missing files it names."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.paths import ROOT
from support.reports import Report

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.reporting.contents import gather

Rewrite = Callable[..., Report]

COUNT = len(params.load(ROOT / "params.yaml").all_experiments)


def test_every_experiment_has_a_section(report: Report) -> None:
    names = params.load(ROOT / "params.yaml").all_experiments
    assert {section.row.experiment for section in report.contents.experiments} == set(names)


def test_missing_files_are_named_with_the_command_that_creates_them(report: Report) -> None:
    missing = report.contents.missing
    assert "mnist_cnn: not built yet. To build it: modelyard run mnist_cnn" in missing
    assert "boston_linear: no plots here. To build them: modelyard run boston_linear" in missing
    assert "digits: no data card of this input. To create it: dvc repro normalise@digits" in missing
    assert not [message for message in missing if message.startswith("build times: ")]


def test_a_project_without_results_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    contents = gather(tmp_path)
    assert (contents.built, contents.claims, contents.replication, contents.studies) == ([], [], [], [])
    assert len([message for message in contents.missing if "not built yet" in message]) == COUNT
    assert "build times: no .dvc/tmp/runner/seconds.json; modelyard run writes it" in contents.missing


def test_an_unreadable_image_is_named_and_left_out(project: Path, rewrite: Rewrite) -> None:
    (project / "results" / "digits_cnn" / "figures" / "confusion.png").write_bytes(b"half an image")
    report = rewrite()
    assert "results/digits_cnn/figures/confusion.png: not a readable image" in report.page.text
    assert len(report.page.loaded) == 8


def test_result_files_that_are_not_readable_are_named_and_left_out(project: Path, rewrite: Rewrite) -> None:
    broken = {
        "reports/claims.json": "<<<<<<< HEAD\n",
        "reports/replication.csv": "experiment\n",
        "results/boston_mlp/metrics.json": "",
        "results/boston_mlp/history.csv": "",
        "results/digits_cnn/details.json": '{"intervals": {"accuracy": [NaN, NaN]}}',
        "data/inputs/boston/data.json": "[]",
        "data/inputs/boston_standard/data.json": "{}",
        ".dvc/tmp/runner/seconds.json": '{"train@boston_mlp": "a"}',
    }
    for name, content in broken.items():
        write_text(project / name, content)
    report = rewrite(against="HEAD")
    text = " ".join(report.page.text.split())
    assert [name for name in broken if name not in text] == []
    assert text.count("reports/claims.json, line 1: unresolved merge conflict") == 1
    assert "errors.pydantic.dev" not in text
    assert report.contents.claims == report.contents.replication == []
    assert {section.row.experiment for section in report.contents.built} == {"boston_linear", "cifar10_vgg16"}


def test_no_message_has_the_path_of_the_project(project: Path, rewrite: Rewrite) -> None:
    for name in ("results/boston_mlp/figures/learning_curve.png", "reports/tuning/digits_cnn/report.md"):
        (project / name).write_bytes(b"\xff")
    write_text(project / "results/boston_mlp/history.csv", "epoch,loss\n1,much\n")
    messages = rewrite().contents.missing
    assert len([message for message in messages if "learning_curve" in message or "report.md" in message]) == 2
    assert "results/boston_mlp/history.csv: not what this version writes" in " ".join(messages)
    assert [message for message in messages if str(project) in message] == []


def test_an_invalid_lock_is_refused_by_name_and_nothing_is_written(project: Path, rewrite: Rewrite) -> None:
    write_text(project / "dvc.lock", "<<<<<<< HEAD\n")
    with pytest.raises(ModelyardError, match=r"dvc\.lock, line 1: unresolved merge conflict"):
        rewrite()
    assert not (project / "reports" / "index.html").exists()


def test_writing_a_report_leaves_the_working_tree_clean(project: Path, rewrite: Rewrite) -> None:
    rewrite()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project, check=True, capture_output=True, text=True)
    assert status.stdout == ""


def test_a_report_imports_neither_tensorflow_nor_mlflow_nor_dvc_nor_matplotlib(project: Path) -> None:
    code = "import sys; from modelyard.cli import app; app(['report'], standalone_mode=False); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True)
    imported = set(result.stdout.splitlines()[-1].split())
    assert "jinja2" in imported
    assert {"tensorflow", "keras", "mlflow", "optuna", "dvc", "matplotlib"} & imported == set()
