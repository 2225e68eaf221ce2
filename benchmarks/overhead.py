"""How much longer a rebuild takes than its calls of keras.Model.fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Overhead:
    """Wall time of a rebuild, and the seconds spent in keras.Model.fit by all experiments."""

    wall_seconds: float
    fit_seconds: float
    longest_fit: float
    jobs: int

    @property
    def ideal(self) -> float:
        """Seconds if all fits were divided evenly among the jobs."""
        return self.fit_seconds / self.jobs

    @property
    def over_ideal(self) -> float:
        """Overhead relative to `ideal`: start-up, evaluation, saving and idle cores."""
        return self.wall_seconds / self.ideal - 1

    @property
    def floor(self) -> float:
        """Lower bound of any schedule: a single fit cannot be divided."""
        return max(self.longest_fit, self.ideal)

    @property
    def over_floor(self) -> float:
        """Overhead relative to `floor`."""
        return self.wall_seconds / self.floor - 1


def overhead(rebuild: Mapping[str, Any], cores: int) -> Overhead:
    """Overhead of a result of the part `rebuild`; stages use one thread, so that there are as many jobs as cores."""
    fits = [experiment["fit_seconds"] for experiment in rebuild["experiments"].values()]
    return Overhead(rebuild["wall_seconds"], sum(fits), max(fits), cores)


def seconds_by_kind(rebuild: Mapping[str, Any]) -> dict[str, float]:
    """Seconds summed by kind of stage, with the fits separated from the rest of `train`."""
    seconds_of: dict[str, float] = {}
    for stage, seconds in rebuild["stages"].items():
        kind = stage.partition("@")[0]
        seconds_of[kind] = seconds_of.get(kind, 0.0) + seconds
    fits = sum(experiment["fit_seconds"] for experiment in rebuild["experiments"].values())
    seconds_of.pop("fetch", None)  # ran before the measurement
    train = seconds_of.pop("train", 0.0)
    return {"fit": fits, "train without fit": train - fits} | seconds_of
