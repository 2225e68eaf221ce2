"""The most doubtful labels that `modelyard label-errors` found, for each experiment."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.core.errors import ModelyardError
from modelyard.params.project import Project
from modelyard.reporting.data_cards import DatasetCard, InputCard
from modelyard.reporting.inline_images import InlineImage
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.rare_names import FEWER

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("reports/label_errors")
SHOWN = 25  # rows
RESULTS = ("row", "label", "suggested", "probability_of_label", "probability_of_suggested", "likely_error")
NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class LabelErrorSection:
    """The first rows of one file, as text, and the sheet of images beside it.

    Attributes:
        experiment: whose input has the samples.
        columns: the headers.
        rows: the first rows; names of rare classes and categories are NOT_SHOWN.
        total: the number of all rows.
        likely_errors: how many of these are likely errors.
        images: the sheet, if there is one.
        note: what is not shown; empty where all is.
    """

    experiment: str
    columns: list[str]
    rows: list[list[str]]
    total: int
    likely_errors: int
    images: tuple[InlineImage, ...]
    note: str


def label_error_sections(
    files: ProjectFiles, project: Project, cards: Iterable[DatasetCard]
) -> list[LabelErrorSection]:
    """One section for each file, in the order of their names; unreadable ones are reported in `missing`."""
    inputs = {card.name: card for dataset in cards for card in dataset.inputs}
    by_experiment = {name: inputs.get(entry.input) for name, entry in project.all_experiments.items()}
    stated = {name: project.datasets[project.dataset_of(name)].classes for name in project.all_experiments}
    images = {Path(image.file).stem: image for image in files.images(files.root / FOLDER)}
    paths = sorted((files.root / FOLDER).glob("*.csv"))
    sections = [
        files.attempt(
            str(FOLDER / path.name),
            partial(_section, path, images.get(path.stem), by_experiment.get(path.stem), stated.get(path.stem, ())),
            None,
        )
        for path in paths
    ]
    return [section for section in sections if section]


def _section(
    path: Path, image: InlineImage | None, card: InputCard | None, stated: Collection[str]
) -> LabelErrorSection:
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in RESULTS:
        if column not in table:
            raise ModelyardError(f"{FOLDER / path.name} has no column {column}")
    likely_errors = int((table.likely_error == "True").sum())
    table, note = _without_rare_names(table, card, stated)
    return LabelErrorSection(
        experiment=path.stem,
        columns=[str(column).replace("_", " ") for column in table.columns],
        rows=[[_short(value) for value in row] for row in table.head(SHOWN).itertuples(index=False)],
        total=len(table),
        likely_errors=likely_errors,
        images=(image,) if image else (),
        note=note,
    )


def _without_rare_names(
    table: "pd.DataFrame", card: InputCard | None, stated: Collection[str]
) -> "tuple[pd.DataFrame, str]":
    """The table without names of rare classes and categories, and what was left out.

    What cannot be counted, because the input's card or contract is not here, is left out as a whole.
    """
    published = dict.fromkeys(("label", "suggested"), card.classes if card else stated)
    if card and card.files.kind:
        published |= {column.name: column.categories for column in card.files.columns if column.kind == "category"}
        note = f"Not shown: classes and categories {FEWER}."
    else:
        table = table[list(RESULTS)]
        note = "Not shown: what may be rare, because the input's data card or contract is not here: modelyard run"
    hidden = {column: ~table[column].isin(["", *names]) for column, names in published.items() if column in table}
    table = table.assign(**{column: table[column].mask(rows, NOT_SHOWN) for column, rows in hidden.items()})
    return table, note


def _short(value: str) -> str:
    """A number with four digits, True and False as words, other text as it is."""
    if value in ("True", "False"):
        return "yes" if value == "True" else "no"
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value
