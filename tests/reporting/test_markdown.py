"""The Markdown summary for pull requests."""

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.projects import edit
from support.reports import Report

from modelyard.core.files import read_json, write_json
from modelyard.reporting.changes import ProjectChanges, ValueChange
from modelyard.reporting.markdown import change_tables

Rewrite = Callable[..., Report]


def test_the_summary_is_short_and_has_the_built_experiments(report: Report) -> None:
    row = "| boston_mlp | 004 | correlation 0.85 (0.84 to 0.86) | correlation 0.7958 outside | raw features |"
    assert row in report.summary
    assert "Not built yet: `xor_perceptron`" in report.summary
    assert len(report.summary.splitlines()) < 60


def test_claims_have_verdict_and_effect(report: Report) -> None:
    assert (
        "| Regression does better standardised | **holds** | correlation | +0.03 (+0.01 to +0.05) |" in report.summary
    )


def test_a_remark_follows_the_verdict(project: Path, rewrite: Rewrite) -> None:
    claims = read_json(project / "reports" / "claims.json")
    own = claims["claims"]["standardised"]
    own["remark"], own["origin"] = "by less than the 0.1 that would matter", "runs of an earlier report"
    write_json(project / "reports" / "claims.json", claims)
    page, summary, _ = rewrite()
    assert "for a few epochs. All claims have runs of an earlier report.\n" in summary
    assert "| **holds**, by less than the 0.1 that would matter |" in summary
    assert page.text.count("runs of an earlier report") == 2  # above the table, and of the notebook
    title = "**Notebook 004** (1 of 1 claims by runs of an earlier report):"
    assert f"{title}\n\n- Holds:\n  - Regression does better standardised: correlation +0.03" in summary
    claims["claims"]["again"] = own | {"origin": ""}
    write_json(project / "reports" / "claims.json", claims)
    page, summary, _ = rewrite()
    assert "| **holds**, by less than the 0.1 that would matter, runs of an earlier report |" in summary
    assert "would matter runs of an earlier report" in page.text


def test_commit_and_uncommitted_files_are_named(project: Path, rewrite: Rewrite) -> None:
    assert re.search(r"from commit `[0-9a-f]{10}` \(Made up\)\.", rewrite().summary)
    edit(project / "params.yaml", "runtime", "threads", value=2)
    assert "; files that differ from the commit: 1." in rewrite().summary


def test_without_changes_the_summary_says_so(report: Report) -> None:
    assert "No changes in settings, data, metrics or verdicts." in report.summary


@given(st.text(min_size=1))
def test_no_value_breaks_its_table(text: str) -> None:
    (table,) = change_tables(ProjectChanges((), (), (ValueChange("key", text, None),), (), (), ()))
    header, rule, line = table.split("\n")
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", each)) for each in (header, rule, line)] == [4, 4, 4]
