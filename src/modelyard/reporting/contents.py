"""Everything that the report shows, gathered from files alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from modelyard import params
from modelyard.core import git
from modelyard.core.git import Commit
from modelyard.core.project_name import project_name
from modelyard.experiments.compare import EARLIER, MISSING, compare
from modelyard.params.project import Project
from modelyard.params.results import results_of, results_root
from modelyard.replication.claims import common_origin
from modelyard.reporting.changes import ProjectChanges, compare_states, read_state, with_other_settings
from modelyard.reporting.claims import ClaimRow, claim_rows
from modelyard.reporting.data_cards import DatasetCard, data_cards
from modelyard.reporting.experiments import ExperimentSection, build_seconds, experiment_sections
from modelyard.reporting.inline_images import InlineImage
from modelyard.reporting.label_errors import LabelErrorSection, label_error_sections
from modelyard.reporting.model_cards import CardSources, ModelCard, published_inside, read_cards
from modelyard.reporting.notebook_findings import NotebookFindings, notebook_findings
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.promotions import LookedAtTestSet, looked_at_test_sets
from modelyard.reporting.replication import ReplicationRow, replication_rows
from modelyard.reporting.studies import StudySection, study_sections
from modelyard.reporting.tables import ResultTable, result_tables

OTHER_SETTINGS = "of other settings than params.yaml has now: run again"


@dataclass(frozen=True)
class ReportContents:
    """Everything that the report shows.

    Attributes:
        project: params.yaml.
        title: the name of the project, or of its folder where pyproject.toml has none.
        created: when the report was made.
        commit: what is checked out; None where git finds no commit.
        against: the commit to compare with.
        changes: since that commit.
        compared: the table of experiments.compare.
        tables: the result tables.
        units: the unit of the target by data set.
        experiments: a section for each experiment.
        data_cards: a card for each data set.
        model_cards: the card of each experiment; None where it has none.
        claims: the tested claims.
        replication: the metrics over seeds.
        findings: what claims and runs over seeds say about each notebook.
        promotions: the test samples that models were promoted by.
        studies: a section for each Optuna study.
        feature_importance: the plots of `modelyard explain`.
        label_errors: what `modelyard label-errors` found.
        missing: a message for each file that is missing or unreadable.
    """

    project: Project
    title: str
    created: datetime
    commit: Commit | None
    against: Commit | None
    changes: ProjectChanges | None
    compared: pd.DataFrame
    tables: list[ResultTable]
    units: dict[str, str]
    experiments: list[ExperimentSection]
    data_cards: list[DatasetCard]
    model_cards: dict[str, ModelCard | None]
    claims: list[ClaimRow]
    replication: list[ReplicationRow]
    findings: list[NotebookFindings]
    promotions: list[LookedAtTestSet]
    studies: list[StudySection]
    feature_importance: tuple[InlineImage, ...]
    label_errors: list[LabelErrorSection]
    missing: list[str]

    @property
    def built(self) -> list[ExperimentSection]:
        """The experiments that have metrics."""
        return [section for section in self.experiments if section.row.metrics]

    @property
    def earlier(self) -> list[ExperimentSection]:
        """The experiments whose metrics were committed and not rebuilt here."""
        return [section for section in self.experiments if section.row.state == EARLIER]

    @property
    def common_origin(self) -> str:
        """From where the runs of all claims come, if it is the same."""
        return common_origin(row.origin for row in self.claims if row.pairs)

    @property
    def timed(self) -> list[ExperimentSection]:
        """The experiments with known build times, the slowest first."""
        known = [section for section in self.experiments if section.seconds]
        return sorted(known, key=lambda section: -sum(section.seconds.values()))


def gather(root: Path, against: str | None = None) -> ReportContents:
    """Read a project's files, and compare them with those of a commit.

    Raises:
        ModelyardError: params.yaml or another file is invalid, or there is no such commit.
    """
    earlier = git.find_commit(root, against) if against else None
    project, files = params.load(root / "params.yaml"), ProjectFiles(root)
    files.start_images(results_of(project, name, root).plots for name in project.all_experiments)
    now = read_state(files)
    published = params.load_published(project, root / "published.yaml")
    compared = compare(project, published, root / results_root("experiments"), root / results_root("pretrained"))
    others = frozenset(with_other_settings(project, now))
    compared.loc[compared.experiment.isin(others) & (compared.state != MISSING), "state"] = OTHER_SETTINGS
    tables = result_tables(compared)
    files_then = ProjectFiles(root, earlier) if earlier else None
    changes = compare_states(project, read_state(files_then), now) if files_then else None
    claims, replication = claim_rows(files, project), replication_rows(files, project, published)
    cards, seconds = data_cards(files, project, now.outputs), build_seconds(files)
    inside = published_inside(compared)
    sources = CardSources(root, project, published, inside, cards, replication, now.outputs, others, seconds)
    return ReportContents(
        project=project,
        title=project_name(root) or root.resolve().name,
        created=datetime.now(UTC),
        commit=git.checked_out(root),
        against=earlier,
        changes=changes,
        compared=compared,
        tables=tables,
        units=project.units,
        experiments=experiment_sections(files, project, tables, now.outputs, seconds),
        data_cards=cards,
        model_cards=read_cards(sources, project.all_experiments),
        claims=claims,
        replication=replication,
        findings=notebook_findings(claims, replication, published),
        promotions=looked_at_test_sets(files),
        studies=study_sections(files),
        feature_importance=files.images(root / "reports" / "explain"),
        label_errors=label_error_sections(files),
        missing=_messages(root, [*files.missing, *(files_then.missing if files_then else ())]),
    )


def _messages(root: Path, messages: Iterable[str]) -> list[str]:
    """Each message once, with paths within the project: a report is made to be published."""
    return list(dict.fromkeys(message.replace(f"{root.absolute()}/", "") for message in messages))
