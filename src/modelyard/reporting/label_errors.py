"""The most doubtful labels that `modelyard label-errors` found, for each experiment."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.reporting.inline_images import InlineImage
from modelyard.reporting.project_files import ProjectFiles

FOLDER = Path("reports/label_errors")
SHOWN = 25  # rows
LONG = 6  # characters of a number


@dataclass(frozen=True)
class LabelErrorSection:
    """The first rows of one file, as text, and the sheet of images beside it."""

    experiment: str
    columns: list[str]
    rows: list[list[str]]
    total: int
    likely_errors: int
    images: tuple[InlineImage, ...]


def label_error_sections(files: ProjectFiles) -> list[LabelErrorSection]:
    """One section for each file, in the order of their names; unreadable ones are reported in `missing`."""
    images = {Path(image.file).stem: image for image in files.images(files.root / FOLDER)}
    paths = sorted((files.root / FOLDER).glob("*.csv"))
    sections = [
        files.attempt(str(FOLDER / path.name), partial(_section, path, images.get(path.stem)), None) for path in paths
    ]
    return [section for section in sections if section]


def _section(path: Path, image: InlineImage | None) -> LabelErrorSection:
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in ("row", "label", "suggested", "likely_error"):
        if column not in table:
            raise ModelyardError(f"{FOLDER / path.name} has no column {column}")
    return LabelErrorSection(
        experiment=path.stem,
        columns=[str(column).replace("_", " ") for column in table.columns],
        rows=[list(map(_shown, map(str, table), row)) for row in table.head(SHOWN).itertuples(index=False)],
        total=len(table),
        likely_errors=int((table.likely_error == "True").sum()),
        images=(image,) if image else (),
    )


def _shown(column: str, value: str) -> str:
    """A value as text: classes as they are, and long numbers with four digits."""
    if column == "likely_error":
        return "yes" if value == "True" else "no"
    if column in ("label", "suggested") or len(value) <= LONG:
        return value
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
