"""What can be said about each notebook, from made-up verdicts and runs over seeds."""

from dataclasses import replace

import pytest
from support.paths import ROOT

from modelyard.params.claim import ClaimSettings, Side
from modelyard.params.project import PublishedValues
from modelyard.replication.claims import Verdict
from modelyard.replication.paired_runs import OTHER_CODE
from modelyard.reporting.claims import ClaimRow
from modelyard.reporting.contents import gather
from modelyard.reporting.notebook_findings import notebook_findings
from modelyard.reporting.replication import ReplicationRow

CLAIM = ClaimSettings(
    says="more filters help",
    notebook="001",
    first=Side(experiment="many"),
    second=Side(experiment="few"),
    metric="accuracy",
    direction="higher",
    smallest=0.01,
    seeds=8,
)
ROW = ClaimRow(
    CLAIM, "", "holds", "", "", "good", "this test set", "+0.03 (+0.02 to +0.04)", "", "", 8, None, 0, (0, 0)
)
RUNS = ReplicationRow("boston", False, "mse", 8, "15.6", "1.2", "14.1 to 17.9", 14.27, True, "-1.1", None)
PUBLISHED = {"boston": PublishedValues(notebook="004", metrics={"mse": 14.27, "mae": 2.7})}


def claim_row(verdict: str, **changes: object) -> ClaimRow:
    return replace(ROW, verdict=verdict, **changes)


@pytest.mark.parametrize(
    ("verdict", "part"),
    [
        (Verdict.HOLDS, "supported"),
        (Verdict.FAILS, "contradicted"),
        (Verdict.INCONCLUSIVE, "open"),
        (Verdict.NOT_RUN, "open"),
    ],
)
def test_a_claim_stands_where_its_verdict_puts_it(verdict: str, part: str) -> None:
    (findings,) = notebook_findings([claim_row(str(verdict))], [], {})
    parts = {name: getattr(findings, name) for name in ("supported", "contradicted", "open")}
    text = "more filters help: accuracy +0.03 (+0.02 to +0.04), this test set"
    assert parts == {name: (text,) if name == part else () for name in parts}


def test_only_groups_with_texts_are_shown() -> None:
    (findings,) = notebook_findings([claim_row("not run", effect="")], [], {})
    assert findings.groups == {"Cannot be said": ("more filters help: not run",)}


def test_runs_of_an_earlier_report_are_named_once() -> None:
    rows = [ROW, claim_row("holds", origin=OTHER_CODE), claim_row("inconclusive", origin=OTHER_CODE)]
    (findings,) = notebook_findings(rows, [], {})
    assert findings.origin == "2 of 3 claims by runs of an earlier report"
    assert not any("earlier" in text for texts in findings.groups.values() for text in texts)


def test_each_printed_value_has_its_place_among_our_runs() -> None:
    on_splits = replace(RUNS, splits=True, seeds=10, is_inside=False, min_to_max="20 to 30")
    (findings,) = notebook_findings([], [RUNS, on_splits], PUBLISHED)
    assert findings.published == (
        "mse 14.27 of boston: inside the spread of 8 seeds (14.1 to 17.9) and outside the spread of 10 seeds, each "
        "with new test samples (20 to 30)",
        "mae 2.7 of boston: not compared (modelyard replicate boston --seeds 20)",
    )


def test_runs_by_other_settings_are_named() -> None:
    (findings,) = notebook_findings([], [replace(RUNS, has_other_settings=True)], PUBLISHED)
    assert "inside the spread of 8 seeds, by other settings (14.1" in findings.published[0]


def test_questions_of_our_own_come_last() -> None:
    own = claim_row("holds", claim=CLAIM.model_copy(update={"notebook": ""}))
    found = notebook_findings([own, ROW], [], PUBLISHED)
    assert [each.notebook for each in found] == ["001", "004", ""]
    assert (found[0].title, found[-1].title) == ("Notebook 001", "Questions of our own")


def test_every_claim_and_every_printed_value_of_this_project_is_in_the_findings() -> None:
    contents = gather(ROOT)
    texts = [text for each in contents.findings for text in (*each.supported, *each.contradicted, *each.open)]
    assert len(texts) == len(contents.claims) > 15
    assert sum(len(each.published) for each in contents.findings) >= 10
