"""What a report tells, gathered from files alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from modelyard import params
from modelyard.core import git
from modelyard.core.git import Commit
from modelyard.experiments.compare import EARLIER, compare
from modelyard.reporting.changes import Changes, changes, state
from modelyard.reporting.claims import Claim, claims
from modelyard.reporting.data_cards import Card, cards
from modelyard.reporting.experiments import Section, sections
from modelyard.reporting.inline_images import Picture
from modelyard.reporting.project_files import Folder
from modelyard.reporting.replication import Seeds, seeds
from modelyard.reporting.studies import Study, studies
from modelyard.reporting.tables import Table, tables


@dataclass(frozen=True)
class Contents:
    """All that a report tells; `missing` names what it cannot, `changes` are those since `against`."""

    title: str
    made: datetime
    commit: Commit | None
    against: Commit | None
    changes: Changes | None
    compared: pd.DataFrame
    tables: list[Table]
    units: dict[str, str]
    sections: list[Section]
    cards: list[Card]
    claims: list[Claim]
    seeds: list[Seeds]
    studies: list[Study]
    explanations: tuple[Picture, ...]
    missing: list[str]

    @property
    def built(self) -> list[Section]:
        """The experiments that have figures."""
        return [section for section in self.sections if section.row.figures]

    @property
    def earlier(self) -> list[Section]:
        """Those whose figures were committed and not made here."""
        return [section for section in self.sections if section.row.state == EARLIER]

    @property
    def timed(self) -> list[Section]:
        """Those of which it is known how long they took, the dearest first."""
        known = [section for section in self.sections if section.seconds]
        return sorted(known, key=lambda section: -sum(section.seconds.values()))


def gather(root: Path, against: str | None = None) -> Contents:
    """Read what lies in a project's folder, and what changed since another commit.

    Raises:
        ModelyardError: params.yaml or another file is broken, or there is no such commit.
    """
    before = git.find_commit(root, against) if against else None
    project, folder = params.load(root / "params.yaml"), Folder(root)
    now = state(folder.text)
    published = params.load_published(project, root / "published.yaml")
    compared = compare(project, published, root / "results", root / "pretrained" / "results")
    tabled = tables(compared)
    return Contents(
        title=root.resolve().name,
        made=datetime.now(UTC),
        commit=git.checked_out(root),
        against=before,
        changes=changes(project, state(lambda path: git.read_file(root, before, path)), now) if before else None,
        compared=compared,
        tables=tabled,
        units=project.units,
        sections=sections(folder, project, tabled, now.outputs),
        cards=cards(folder, project, now.outputs),
        claims=claims(folder, project),
        seeds=seeds(folder),
        studies=studies(folder),
        explanations=folder.pictures("reports/explain"),
        missing=folder.missing,
    )
