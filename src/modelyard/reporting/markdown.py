"""The report as a short Markdown summary for pull requests: the headline metrics, and what changed."""

from collections.abc import Iterable, Iterator
from itertools import chain

import pandas as pd

from modelyard.core.report_text import markdown_table, setting_text, without_markup
from modelyard.experiments.compare import MISSING, overview
from modelyard.reporting.changes import MetricChange, ProjectChanges, ValueChange
from modelyard.reporting.claims import ClaimRow
from modelyard.reporting.contents import ReportContents
from modelyard.reporting.notebook_findings import FINDINGS_NOTE, FINDINGS_TITLE, NotebookFindings

HEADER = {
    "experiment": "experiment",
    "notebook": "notebook",
    "value": "test metric (95 % interval)",
    "published": "published",
    "remarks": "remarks",
}
OPTIONAL = {"notebook", "published"}  # columns of a project that reproduces something
MAX_LENGTH = 60  # characters; longer values are cut
CLAIM_COLUMNS = ("claim", "verdict", "metric", "mean difference (95 % interval)")
CLAIMS_NOTE = (
    "A verdict is about the comparison described in `reports/claims.md`; most claims train on part of the samples and "
    "for a few epochs."
)
NO_CHANGES = "No changes in settings, data, metrics or verdicts."


def markdown_summary(contents: ReportContents) -> str:
    """The report in Markdown."""
    table = overview(contents.compared)
    built = table[~table.remarks.str.contains(MISSING, regex=False)]
    parts = ["# Report", _origin(contents), *_changes(contents), "## Results"]
    parts.append(overview_table(built) if len(built) else "No experiment has results.")
    if contents.claims:
        common = contents.common_origin
        cells = [_claim_cells(row, common) for row in contents.claims]
        note = f"{CLAIMS_NOTE} All claims have {common}." if common else CLAIMS_NOTE
        parts += ["## Claims", note, markdown_table(CLAIM_COLUMNS, cells)]
    parts += [
        f"Test samples of {each.models} ({each.md5}) decided {each.comparisons} comparisons of `modelyard promote`."
        for each in contents.promotions
    ]
    if contents.findings:
        parts += [f"## {FINDINGS_TITLE}", FINDINGS_NOTE, *_findings(contents.findings)]
    if len(built) < len(table):
        names = ", ".join(f"`{name}`" for name in table.experiment[~table.index.isin(built.index)])
        parts.append(f"Not built yet: {names}.")
    return "\n\n".join(parts) + "\n"


def overview_table(table: pd.DataFrame) -> str:
    """The overview of a comparison (see experiments.compare) as a Markdown table, without empty optional columns."""
    columns = [name for name in HEADER if name not in OPTIONAL or table[name].any()]
    header = [HEADER[name] for name in columns]
    return markdown_table(header, table[columns].itertuples(index=False))


def change_tables(changes: ProjectChanges) -> Iterator[str]:
    """All changes, in one table for each kind; of the metrics only the headline metric of each experiment."""
    for names, word in ((changes.added, "New"), (changes.removed, "Removed")):
        if names:
            yield f"{word} experiments: {', '.join(f'`{name}`' for name in names)}."
    metrics = [_metric_cells(change) for change in changes.metrics if change.is_headline]
    if metrics:
        yield markdown_table(["experiment", "metric", "before", "now", ""], metrics)
    for kind, values in (("setting", changes.settings), ("data", changes.data), ("verdict", changes.verdicts)):
        if values:
            yield markdown_table([kind, "before", "now"], map(_value_cells, values))


def _findings(findings: Iterable[NotebookFindings]) -> Iterator[str]:
    for each in findings:
        title = f"**{each.title}**" + (f" ({each.origin})" if each.origin else "")
        groups = (
            (f"- {name}:", *(f"  - {without_markup(text)}" for text in texts)) for name, texts in each.groups.items()
        )
        yield "\n".join([f"{title}:", "", *chain.from_iterable(groups)])


def _claim_cells(row: ClaimRow, common: str) -> tuple[str, ...]:
    verdict = ", ".join(filter(None, [f"**{row.verdict}**", row.remark, "" if common else row.origin]))
    return row.claim.says, verdict, row.claim.metric, row.effect


def _origin(contents: ReportContents) -> str:
    created = f"Created {contents.created:%Y-%m-%d %H:%M} UTC"
    if contents.commit is None:
        return f"{created}; git finds no commit."
    commit = contents.commit
    changed = f"; files that differ from the commit: {len(commit.changed)}" if commit.changed else ""
    return f"{created} from commit `{commit.id[:10]}` ({_escaped(commit.subject)}){changed}."


def _changes(contents: ReportContents) -> Iterator[str]:
    if contents.against is None or contents.changes is None:
        return
    against, changes = contents.against, contents.changes
    yield f"## Changes since `{against.id[:10]}` ({_escaped(against.subject)})"
    yield from change_tables(changes) if changes else [NO_CHANGES]


def _metric_cells(change: MetricChange) -> tuple[str, ...]:
    verdict = "better" if change.is_better else "worse"
    outside = ", outside the earlier interval" if change.is_outside else ""
    return f"`{change.experiment}`", change.metric, f"{change.before:.4g}", f"{change.now:.4g}", verdict + outside


def _value_cells(change: ValueChange) -> tuple[str, ...]:
    before, now = (_escaped(setting_text(value)) for value in (change.before, change.now))
    return f"`{change.name}`", before, now


def _escaped(text: str) -> str:
    """A text in one line, shortened, that neither breaks a table nor starts markup."""
    text = " ".join(text.split())
    return without_markup(text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…")
