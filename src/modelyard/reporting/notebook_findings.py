"""What the tested claims and the runs over seeds say about each notebook, in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelyard.params.project import Published
from modelyard.replication.claims import Verdict
from modelyard.reporting.claims import ClaimRow
from modelyard.reporting.replication import ReplicationRow


@dataclass(frozen=True)
class NotebookFindings:
    """What can and cannot be said about one notebook; `notebook` is empty for questions of our own.

    Attributes:
        notebook: its number.
        supported: its claims that the runs support, each with its comparison.
        contradicted: those that they speak against.
        open: those that they do not settle, and what would.
        published: where each value that it printed lies among our runs.
    """

    notebook: str
    supported: tuple[str, ...]
    contradicted: tuple[str, ...]
    open: tuple[str, ...]
    published: tuple[str, ...]

    @property
    def paragraph(self) -> str:
        """All of it as sentences."""
        of_whom = f"Notebook {self.notebook}" if self.notebook else "Questions of our own"
        count = len(self.supported) + len(self.contradicted) + len(self.open)
        tested = f"{of_whom}: {count} {'claim' if count == 1 else 'claims'}."
        parts = {
            "We can say": self.supported,
            "The runs speak against": self.contradicted,
            "We cannot say whether": self.open,
            "Of the values that it printed": self.published,
        }
        return " ".join([tested, *(f"{words}: {'; '.join(texts)}." for words, texts in parts.items() if texts)])


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
    return NotebookFindings(
        notebook,
        supported=tuple(_claim_text(row) for row in own if row.verdict == Verdict.HOLDS),
        contradicted=tuple(_claim_text(row) for row in own if row.verdict == Verdict.FAILS),
        open=tuple(_claim_text(row) for row in own if row.verdict not in settled),
        published=tuple(_published_texts(notebook, replication, published)),
    )


def _claim_text(row: ClaimRow) -> str:
    """A claim with its comparison and effect, such as "more filters help (accuracy of a minus b: +0.03, ...)"."""
    claim = row.claim
    effect = f"{row.effect}{f' {row.unit}' if row.unit else ''}, {row.pairs} seeds" if row.effect else "not run"
    comparison = f"{claim.metric} of {claim.first} minus {claim.second}: {effect}"
    return f"{claim.says} ({', '.join(filter(None, [comparison, row.scope and f'about {row.scope}', row.remark]))})"


def _published_texts(notebook: str, replication: Sequence[ReplicationRow], published: Published) -> Iterator[str]:
    rows = {(row.experiment, row.metric, row.splits): row for row in replication}
    for name, entry in published.items():
        if entry.notebook != notebook:
            continue
        for metric, value in entry.metrics.items():
            found = [row for splits in (False, True) if (row := rows.get((name, metric, splits)))]
            places = " and ".join(_place(row) for row in found)
            yield f"{metric} {value:.4g} of {name} " + (
                f"lies {places}" if places else f"was not compared (modelyard replicate {name} --seeds 20)"
            )


def _place(row: ReplicationRow) -> str:
    """Where a published value lies among the runs of a row."""
    side = "inside" if row.is_inside else "outside"
    z = f", z {row.z}" if row.z else ""
    samples = ", each with new test samples" if row.splits else ""
    settings = ", by other settings" if row.has_other_settings else ""
    return f"{side} the spread of {row.seeds} seeds{samples}{settings} ({row.min_to_max or row.mean}{z})"
