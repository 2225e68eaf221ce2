"""The report as one HTML page: what it shows, and that it loads nothing."""

from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from support.paths import ROOT
from support.projects import edit
from support.reports import Report, write_report

from modelyard import params

COUNT = len(params.load(ROOT / "params.yaml").all_experiments)

Rewrite = Callable[..., Report]


def test_the_page_loads_nothing(report: Report) -> None:
    assert len(report.page.loaded) == 9
    assert [source[:30] for source in report.page.loaded if not source.startswith("data:")] == []
    assert not {"script", "iframe", "object", "embed", "form"} & set(report.page.tags)


def test_every_link_leads_to_a_part_of_the_page(report: Report) -> None:
    page = report.page
    assert [link for link in page.links if not link.startswith("#")] == []
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_no_level_of_headings_is_skipped(report: Report) -> None:
    levels = [int(tag[1]) for tag in report.page.tags if tag in {"h1", "h2", "h3", "h4", "h5", "h6"}]
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []


def test_metrics_are_shown_with_intervals_and_published_values(report: Report) -> None:
    text = report.page.text
    assert "correlation 0.85 (0.84 to 0.86)" in text
    assert "correlation 0.7958 outside" in text
    assert "from the repository, not built here" in text
    assert f"4 of {COUNT} experiments have results ; 1 of these come from the repository" in text.replace(
        "results;", "results ;"
    )
    assert "boston bars show correlation; mae in 1000 dollars" in text


def test_a_project_that_reproduces_nothing_has_no_columns_for_it(project: Path, rewrite: Rewrite) -> None:
    assert 'data-label="notebook"' in rewrite().page.html
    (project / "published.yaml").write_text("{}\n")
    html = rewrite().page.html.partition('id="results"')[2].partition('id="claims"')[0]
    assert [
        name for name in ("notebook", "published") if f'data-label="{name}"' in html or f"<th>{name}</th>" in html
    ] == []
    assert "| experiment | test metric (95 % interval) | remarks |" in rewrite().summary


def test_the_title_is_the_name_of_the_project(project: Path, rewrite: Rewrite) -> None:
    assert "<title>Report: yard</title>" in rewrite().page.html
    (project / "pyproject.toml").write_text('[project]\nname = "houses"\n')
    assert "<title>Report: houses</title>" in rewrite().page.html


@pytest.mark.parametrize(
    "shown",
    [
        "model.units [64, 32]",
        "train: 4.2 s evaluate: 1 min 30 s model MD5 fedcba9876543210fedcba9876543210.dir",
        "Last epoch epoch 2 loss 1.25",
        "All files: MD5 0123456789abcdef0123456789abcdef.dir",
        "License: CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits)",
        "boston_housing.csv sha256 8594f084258ead302f20a7479463f7a7584d33fe00042d442a7101530c8b46de",
        "Distinct samples in both training and test data: 1",
        "boston scaling: none , boston_standard scaling: standard Samples of shape 13, target in 1000 dollars",
        "minimum of the target 5",
        "with 95 % intervals; mae in 1000 dollars",
    ],
)
def test_settings_times_checksums_and_data_are_shown(report: Report, shown: str) -> None:
    assert shown in report.page.text


def test_defaults_that_are_none_are_left_out(report: Report) -> None:
    assert "learning_rate not set" not in report.page.text


def test_claims_are_shown_with_verdict_and_effect(report: Report) -> None:
    compared = "correlation of boston_mlp with input boston_standard minus boston_mlp; both with training.epochs 5"
    assert f"{compared}; smallest difference that matters: 0.01" in report.page.text
    assert "holds: 1" in report.page.text
    assert "holds +0.03 (+0.01 to +0.05) 0.003 / 1 8" in report.page.text


def test_metrics_over_seeds_are_shown_with_the_published_value(report: Report) -> None:
    text = report.page.text
    assert "boston_mlp correlation 8 0.79 (0.7733 to 0.8067) 0.02 0.765 to 0.823 0.7958 inside , z +0.3" in text
    assert "boston_mlp new test samples for each seed correlation 1 0.8 0.7958 outside" in text


def test_runs_by_other_settings_are_marked(project: Path, rewrite: Rewrite) -> None:
    file = project / "reports" / "replication.csv"
    header, first, *_ = file.read_text().splitlines()
    file.write_text(f"{header}\n{first.rpartition(',')[0]},0123456789abcdef\n")
    assert "boston_mlp by other settings correlation 8" in rewrite().page.text


def test_a_study_is_shown_below_the_headings_of_the_page(report: Report) -> None:
    assert "epochs 90" in report.page.text
    assert "<h3>Study digits_cnn</h3>" in report.page.html


def test_notes_are_shown_as_text(project: Path, rewrite: Rewrite) -> None:
    edit(project / "published.yaml", "boston_mlp", "note", value="<b>raw</b> & cooked | *stars*")
    page = rewrite().page
    assert "<b>raw</b> & cooked | *stars*" in page.text
    assert "b" not in page.tags


def test_the_learning_curve_comes_first_and_every_image_has_its_size(report: Report) -> None:
    html = report.page.html
    assert html.index("Learning curve: boston_mlp") < html.index("Confusion matrix (test samples): boston_mlp")
    assert html.count("<img ") == html.count('<img loading="lazy" decoding="async"') == 8
    assert (html.count('width="60" height="40" alt='), html.count('width="900" height="1200" alt=')) == (5, 3)


def test_commit_and_uncommitted_files_are_shown(project: Path, rewrite: Rewrite) -> None:
    assert "Made up no uncommitted changes" in rewrite().page.text
    edit(project / "params.yaml", "runtime", "threads", value=2)
    assert "files that differ from the commit: 1" in rewrite().page.text


def test_a_page_without_results_says_so(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    page, summary, _ = write_report(tmp_path, tmp_path / "page.html")
    assert "## Results\n\nNo experiment has results.\n\nNot built yet: " in summary
    assert "the best" not in page.text
    assert f"0 of {COUNT} experiments have results." in page.text
    assert "No stage has run on the machine" in page.text
    assert "Git finds no commit here" in page.text


def test_changes_are_shown(project: Path, rewrite: Rewrite) -> None:
    edit(project / "params.yaml", "experiments", "boston_mlp", "training", "epochs", value=50)
    text = rewrite(against="HEAD").page.text
    assert "experiments.boston_mlp.training.epochs 100 50" in text


def test_without_changes_the_page_says_so(report: Report) -> None:
    assert "No changes in settings, data, metrics or verdicts." in report.page.text


def test_the_template_is_packaged() -> None:
    assert files("modelyard.reporting").joinpath("page.html.jinja").is_file()
    packaged = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'modelyard = ["reporting/*.jinja", ' in packaged
