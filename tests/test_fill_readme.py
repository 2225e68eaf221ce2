"""`make readme` after a whole rebuild and after a part of one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.projects import draw, make_project

from modelyard import params
from modelyard.core.files import write_table
from modelyard.experiments import compare

PICTURES = (
    "fashion_cnn/figures/first_training_images.png",
    "mnist_cnn/figures/learning_curve.png",
    "digits_detector/figures/detections.png",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose pages tell of nothing yet, with results of some experiments."""
    folder = make_project(tmp_path / "project")
    compared = compare.compare(params.load(folder / "params.yaml"), folder / "results", folder / "none")
    write_table(folder / "reports" / "comparison.csv", compared)
    (folder / "docs" / "pictures").mkdir(parents=True)
    for page in ("README.md", "docs/costs.md"):
        (folder / page).write_text("before\n<!-- results -->\nold\n<!-- end -->\nafter\n")
    return folder


def make_readme(project: Path) -> subprocess.CompletedProcess:
    shutil.copy(ROOT / "docs" / "fill_readme.py", project / "docs")
    return subprocess.run([sys.executable, "docs/fill_readme.py"], cwd=project, capture_output=True, text=True)


def test_a_whole_rebuild_fills_the_pages_and_brings_the_pictures(project):
    for picture in PICTURES:
        draw(project / "results" / picture)
    assert make_readme(project).returncode == 0
    page = (project / "README.md").read_text()
    assert page.startswith("before\n<!-- results -->\n| experiment | notebook |")
    assert "| boston_mlp | 004 | correlation 0.85 (0.84 to 0.86) |" in page
    assert page.endswith("\n<!-- end -->\nafter\n")
    assert "| `boston_mlp` | 4 | 90 |" in (project / "docs" / "costs.md").read_text()
    assert len(list((project / "docs" / "pictures").iterdir())) == len(PICTURES)


def test_after_a_part_of_a_rebuild_no_page_is_changed_and_what_is_missing_is_told(project):
    draw(project / "results" / PICTURES[0])
    done = make_readme(project)
    assert done.returncode == 1
    assert f"results/{PICTURES[1]}, results/{PICTURES[2]} missing. Nothing was changed." in done.stderr
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\nold\n" in (project / "README.md").read_text()
    assert "\nold\n" in (project / "docs" / "costs.md").read_text()
    assert list((project / "docs" / "pictures").iterdir()) == []
