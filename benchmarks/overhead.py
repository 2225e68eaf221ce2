"""How much more of the cores' time a rebuild takes than its calls of keras.Model.fit compute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Overhead:
    """Wall time of a rebuild, and the CPU time of keras.Model.fit of all experiments."""

    wall_seconds: float
    fit_cpu_seconds: float
    cores: int

    @property
    def ideal(self) -> float:
        """Seconds if the fits kept all cores busy and nothing else ran."""
        return self.fit_cpu_seconds / self.cores

    @property
    def share(self) -> float:
        """Overhead relative to `ideal`: start-up, evaluation, saving and idle cores."""
        return self.wall_seconds / self.ideal - 1


def overhead(rebuild: Mapping[str, Any], cores: int) -> Overhead:
    """Overhead of a result of the part `rebuild`; CPU time, because the cores of a fit change while it runs."""
    fits = sum(experiment["fit_cpu_seconds"] for experiment in rebuild["experiments"].values())
    return Overhead(rebuild["wall_seconds"], fits, cores)


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
