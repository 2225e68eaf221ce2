"""How often test samples were looked at, in the page and in the summary."""

from collections.abc import Callable
from pathlib import Path

from support.reports import Report

from modelyard.core.files import write_json
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.promotions import PROMOTIONS, looked_at_test_sets

VERSION = {"model": "boston", "version": "2", "experiment": "boston_mlp", "metric": "correlation 0.85 (0.84 to 0.86)"}
DECIDED = VERSION | {"reason": "+0.1: significantly better (98.33 % paired bootstrap).", "forced": "<b>because</b>"}
UNDONE = DECIDED | {"version": "3", "rolled_back": "to version 2"}
CONTENT = {"test_samples": {"0123456789abcdef.dir": {"comparisons": 2, "versions": [VERSION, DECIDED, UNDONE]}}}


def test_test_samples_have_their_comparisons_and_versions(rewrite: Callable[..., Report], project: Path) -> None:
    write_json(project / PROMOTIONS, CONTENT)
    report = rewrite()
    text = report.page.text
    assert "boston: 2 comparisons on test samples 01234567" in text
    assert "+0.1: significantly better (98.33 % paired bootstrap). Forced: <b>because</b>" in text
    assert "Forced: <b>because</b> Rolled back to version 2." in text
    assert "Test samples of boston (01234567) decided 2 comparisons of `modelyard promote`." in report.summary


def test_without_promotions_there_is_no_section_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert looked_at_test_sets(ProjectFiles(tmp_path)) == []
    write_json(tmp_path / PROMOTIONS, {"test_samples": {"0": {"versions": 3}}})
    files = ProjectFiles(tmp_path)
    assert looked_at_test_sets(files) == []
    assert "reports/promotions.json: not what this version writes" in files.missing[0]
