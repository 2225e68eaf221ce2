"""What the tested claims and the runs over seeds say about each notebook, in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelyard.params.project import Published
from modelyard.replication.claims import Verdict
from modelyard.reporting.claims import ClaimRow
from modelyard.reporting.replication import ReplicationRow

FINDINGS_TITLE = "What we can and cannot say about the notebooks"
FINDINGS_NOTE = (
    "Generated from the verdicts and from the runs over seeds. A difference is what is named first minus what is named "
    "second, with its 95 % interval; the comparisons are in the table of claims. A printed value is inside the spread "
    "if it lies between the smallest and the largest of our runs."
)


@dataclass(frozen=True)
class NotebookFindings:
    """What can and cannot be said about one notebook; `notebook` is empty for questions of our own.

    Attributes:
        notebook: its number.
        supported: its claims that the runs support, each with its effect.
        contradicted: those that they speak against.
        open: those that they do not settle.
        published: where each value that it printed lies among our runs.
        origin: how many claims rest on runs that come from an earlier report; empty if none does.
    """

    notebook: str
    supported: tuple[str, ...]
    contradicted: tuple[str, ...]
    open: tuple[str, ...]
    published: tuple[str, ...]
    origin: str

    @property
    def title(self) -> str:
        """Whose statements they are."""
        return f"Notebook {self.notebook}" if self.notebook else "Questions of our own"

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The texts by what can be said of them, without empty groups."""
        groups = {
            "Holds": self.supported,
            "Does not hold": self.contradicted,
            "Cannot be said": self.open,
            "Printed values": self.published,
        }
        return {name: texts for name, texts in groups.items() if texts}


def notebook_findings(
    claims: Sequence[ClaimRow], replication: Sequence[ReplicationRow], published: Published
) -> list[NotebookFindings]:
    """The findings of each notebook that makes a claim or printed a value, in the order of their numbers."""
    printed = {entry.notebook for entry in published.values() if entry.metrics}
    notebooks = {row.claim.notebook for row in claims} | printed
    return [
        _findings(name, claims, replication, published) for name in sorted(notebooks, key=lambda name: (not name, name))
    ]


def _findings(
    notebook: str, claims: Sequence[ClaimRow], replication: Sequence[ReplicationRow], published: Published
) -> NotebookFindings:
    own = [row for row in claims if row.claim.notebook == notebook]
    settled = (Verdict.HOLDS, Verdict.FAILS)
    earlier = sum(bool(row.origin) for row in own)
    return NotebookFindings(
        notebook,
        supported=tuple(_claim_text(row) for row in own if row.verdict == Verdict.HOLDS),
        contradicted=tuple(_claim_text(row) for row in own if row.verdict == Verdict.FAILS),
        open=tuple(_claim_text(row) for row in own if row.verdict not in settled),
        published=tuple(_published_texts(notebook, replication, published)),
        origin=f"{earlier} of {len(own)} claims by runs of an earlier report" if earlier else "",
    )


def _claim_text(row: ClaimRow) -> str:
    """A claim with its effect, such as "more filters help: accuracy +0.03 (+0.02 to +0.04), this test set"."""
    effect = f"{row.claim.metric} {row.effect}{f' {row.unit}' if row.unit else ''}" if row.effect else "not run"
    return f"{row.claim.says}: {', '.join(filter(None, [effect, row.scope if row.effect else '']))}"


def _published_texts(notebook: str, replication: Sequence[ReplicationRow], published: Published) -> Iterator[str]:
    rows = {(row.experiment, row.metric, row.splits): row for row in replication}
    for name, entry in published.items():
        if entry.notebook != notebook:
            continue
        for metric, value in entry.metrics.items():
            found = [row for splits in (False, True) if (row := rows.get((name, metric, splits)))]
            places = " and ".join(_place(row) for row in found)
            yield f"{metric} {value:.4g} of {name}: {places or f'not compared (modelyard replicate {name} --seeds 20)'}"


def _place(row: ReplicationRow) -> str:
    """Where a published value lies among the runs of a row."""
    side = "inside" if row.is_inside else "outside"
    samples = ", each with new test samples" if row.splits else ""
    settings = ", by other settings" if row.has_other_settings else ""
    return f"{side} the spread of {row.seeds} seeds{samples}{settings} ({row.min_to_max or row.mean})"
