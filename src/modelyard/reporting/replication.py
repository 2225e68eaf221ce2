"""What runs over seeds came to, as `modelyard replicate` wrote it: how a figure varies, and the published one in it."""

import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

from modelyard.reporting.interval_bars import Bar, Scale
from modelyard.reporting.project_files import Folder

REPLICATION = "reports/replication.csv"


@dataclass(frozen=True)
class Seeds:
    """A metric of an experiment over seeds; the bar, from the least to the most, is for a published figure alone."""

    experiment: str
    splits: bool
    metric: str
    count: int
    mean: str
    sd: str
    reach: str
    published: float | None
    inside: bool
    z: str
    bar: Bar | None


def seeds(folder: Folder) -> list[Seeds]:
    """The first metric of each experiment that was run over seeds, and those of which a figure was published."""
    text = folder.text(REPLICATION)
    if text is None:
        return []
    table = pd.read_csv(io.StringIO(text))
    is_first = ~table.duplicated(["experiment", "splits"])
    return [_row(row) for row in table[is_first | table.published.notna()].itertuples()]


def _row(row: Any) -> Seeds:
    said = None if pd.isna(row.published) else float(row.published)
    interval = "" if pd.isna(row.low) else f" ({row.low:.4g} to {row.high:.4g})"
    return Seeds(
        experiment=row.experiment,
        splits=bool(row.splits),
        metric=row.metric,
        count=row.seeds,
        mean=f"{row.mean:.4g}{interval}",
        sd="" if pd.isna(row.sd) else f"{row.sd:.2g}",
        reach=f"{row.least:.4g} to {row.most:.4g}" if row.seeds > 1 else "",
        published=said,
        inside=said is not None and bool(row.inside),
        z="" if pd.isna(row.z) else f"{row.z:+.1f}",
        bar=_bar(row, said) if row.seeds > 1 and said is not None else None,
    )


def _bar(row: Any, said: float) -> Bar:
    return Scale.of((row.least, row.most, said)).bar((row.least, row.most), row.mean, said)
