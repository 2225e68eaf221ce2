"""`make readme` after a complete and after a partial rebuild."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.projects import draw, make_project

from modelyard.core.files import read_json, write_json

PLOTS = (
    "fashion_cnn/figures/first_training_images.png",
    "mnist_cnn/figures/learning_curve.png",
    "mnist_detector/figures/detections.png",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with results of some experiments and pages without tables."""
    folder = make_project(tmp_path / "project")
    (folder / "docs" / "pictures").mkdir(parents=True)
    for page in ("README.md", "docs/costs.md"):
        (folder / page).write_text("before\n<!-- results -->\nold\n<!-- end -->\nafter\n")
    return folder


def make_readme(project: Path) -> subprocess.CompletedProcess:
    shutil.copy(ROOT / "docs" / "fill_readme.py", project / "docs")
    return subprocess.run([sys.executable, "docs/fill_readme.py"], cwd=project, capture_output=True, text=True)


def test_a_complete_rebuild_updates_the_pages_and_copies_the_plots(project):
    for plot in PLOTS:
        draw(project / "results" / plot)
    assert make_readme(project).returncode == 0
    page = (project / "README.md").read_text()
    assert page.startswith("before\n<!-- results -->\n| experiment | notebook | test metric (95 % interval) |")
    assert "| boston_mlp | 004 | correlation 0.85 (0.84 to 0.86) |" in page
    assert page.endswith("\n<!-- end -->\nafter\n")
    assert "| cifar10_vgg16 |" in page
    assert "| `boston_mlp` | 4 | 90 |" in (project / "docs" / "costs.md").read_text()
    assert len(list((project / "docs" / "pictures").iterdir())) == len(PLOTS)


def test_a_value_is_rounded_once(project):
    for plot in PLOTS:
        draw(project / "results" / plot)
    details = project / "results" / "boston_mlp" / "details.json"
    content = read_json(details)
    content["intervals"]["correlation"][0] = 0.80475000047  # 0.80475 in nine digits, which is rounded down
    write_json(details, content)
    assert make_readme(project).returncode == 0
    assert "| boston_mlp | 004 | correlation 0.85 (0.8048 to 0.86) |" in (project / "README.md").read_text()


def test_a_partial_rebuild_is_refused_with_the_missing_files(project):
    draw(project / "results" / PLOTS[0])
    done = make_readme(project)
    assert done.returncode == 1
    assert f"missing: results/{PLOTS[1]}, results/{PLOTS[2]}. Nothing was changed." in done.stderr
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\nold\n" in (project / "README.md").read_text()
    assert "\nold\n" in (project / "docs" / "costs.md").read_text()
    assert list((project / "docs" / "pictures").iterdir()) == []


def test_damaged_build_times_are_named_and_nothing_is_changed(project):
    for plot in PLOTS:
        draw(project / "results" / plot)
    (project / ".dvc/tmp/runner/seconds.json").write_text("<<<<<<< HEAD\n")
    done = make_readme(project)
    assert done.returncode == 1
    assert "error: .dvc/tmp/runner/seconds.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\nold\n" in (project / "README.md").read_text()
