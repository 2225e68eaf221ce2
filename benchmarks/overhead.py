"""How much longer a rebuild takes than its fits alone would."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Overhead:
    """A rebuild's wall time beside the seconds within keras.Model.fit, all experiments together."""

    wall_seconds: float
    fit_seconds: float
    longest_fit: float
    jobs: int

    @property
    def shared(self) -> float:
        """The fits divided evenly among the jobs."""
        return self.fit_seconds / self.jobs

    @property
    def over_shared(self) -> float:
        """What the rebuild takes beyond that, as a share of it: everything that is no fit, and idle cores."""
        return self.wall_seconds / self.shared - 1

    @property
    def floor(self) -> float:
        """The least that any order could take: a fit is not divided."""
        return max(self.longest_fit, self.shared)

    @property
    def over_floor(self) -> float:
        """What the rebuild takes beyond that, as a share of it."""
        return self.wall_seconds / self.floor - 1


def overhead(rebuild: Mapping[str, Any], cores: int) -> Overhead:
    """Of what the part `rebuild` found; every stage has one thread, so that there are as many jobs as cores."""
    fits = [experiment["fit_seconds"] for experiment in rebuild["experiments"].values()]
    return Overhead(rebuild["wall_seconds"], sum(fits), max(fits), cores)


def seconds_by_kind(rebuild: Mapping[str, Any]) -> dict[str, float]:
    """The seconds of all stages together, the fits apart from the rest of the trainings."""
    told: dict[str, float] = {}
    for stage, seconds in rebuild["stages"].items():
        kind = stage.partition("@")[0]
        told[kind] = told.get(kind, 0.0) + seconds
    fits = sum(experiment["fit_seconds"] for experiment in rebuild["experiments"].values())
    told.pop("fetch", None)  # done before
    trained = told.pop("train", 0.0)
    return {"fit": fits, "the rest of train": trained - fits} | told
