"""The goals, each with its limit and the measured value."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.comparison import (
    Parts,
    comparable,
    ratio_of_epochs,
    ratio_up_to_date,
    resource_ratios,
    seconds_per_stage,
)
from benchmarks.overhead import overhead

WALL = {"float32": 0.55, "bfloat16": 0.4}  # of the notebooks' wall time
MEMORY = 1 / 3  # of the notebooks' peak
OVERHEAD = 0.15
UP_TO_DATE = {"20": 0.7, "all": 0.5, "200": 0.25}  # of the wall time of `dvc repro`, by number of experiments
ONE_MORE_STAGE = 1.1  # of its cost in a small project
FIRST_RESULTS = 60.0  # seconds, of the two small tables
TABLE_MEMORY = 4.0  # GiB, of 1,000,000 rows
ALONE = 0.85  # of the notebook's seconds per epoch


class Goal(NamedTuple):
    """A measured value that should not exceed a limit."""

    name: str
    limit: float
    value: float

    @property
    def is_reached(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit


def goals(parts: Parts) -> Iterator[Goal]:
    """The goals whose parts were measured."""
    for precision, ratios in resource_ratios(parts).items():
        yield Goal(f"rebuild in {precision}: wall time / notebooks", WALL[precision], ratios["wall_seconds"])
        yield Goal(f"rebuild in {precision}: peak memory / notebooks", MEMORY, ratios["peak_megabytes"])
    for precision, rebuild in comparable(parts).items():
        if rebuild.get("busy_cores"):  # earlier results lack it
            found = overhead(rebuild, parts["notebooks"]["machine"]["cores"])
            yield Goal(f"rebuild in {precision}: overhead", OVERHEAD, found.share)
    for experiment, found in parts.get("alone", {}).get("found", {}).items():
        yield Goal(f"`{experiment}` alone: seconds per epoch / notebook", ALONE, ratio_of_epochs(found))
    nothing = parts.get("nothing", {}).get("found", {})
    for count, limit in UP_TO_DATE.items():
        if count in nothing:
            name = f"{count} experiments up to date: wall time / `dvc repro`"
            yield Goal(name, limit, ratio_up_to_date(nothing[count], "wall_seconds"))
    costs = list(seconds_per_stage(nothing, "modelyard run").values())
    if len(costs) > 1:
        yield Goal("up to date, CPU time of one more stage: many / few stages", ONE_MORE_STAGE, costs[-1] / costs[0])
    tables = parts.get("tables", {}).get("found", {})
    for name in ("penguins", "titanic"):
        if name in tables:
            seconds = tables[name]["show_seconds"] + tables[name]["run_seconds"]
            yield Goal(f"`{name}`: seconds from the file to the results", FIRST_RESULTS, seconds)
    if largest := parts.get("table_rows", {}).get("found", {}).get("1000000"):
        peak = max(largest[step]["peak_megabytes"] for step in ("prepare", "fit"))
        yield Goal("table of 1,000,000 rows: peak memory, GiB", TABLE_MEMORY, peak / 1024)
