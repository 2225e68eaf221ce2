"""The table of a space: the whole learning curves of every configuration, and its scores on test samples."""

import json
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.search.spaces import Space, find_space
from benchmarks.search.training import Trainer
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file, write_text

FOLDER = Path(__file__).parent / "tables"
CONFIGURATIONS_PER_PROCESS = 30  # trainings in one process grow its memory

_trainers: dict[str, Trainer] = {}  # of this worker process, by the name of the space


@dataclass(frozen=True)
class Table:
    """What is known of a space's configurations.

    Attributes:
        space: the space.
        curves: the validation metric after each epoch (configurations, fits, epochs); NaN after a
            failure.
        test: the metric on test samples after the last epoch, mean over the fits (configurations,).
        seconds: CPU time of the fits together (configurations,).
        samples: the training samples of each fit.
    """

    space: Space
    curves: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    samples: int

    @property
    def full_training(self) -> int:
        """The sample-epochs of one configuration that is trained to its end."""
        return self.space.fits * self.space.epochs * self.samples

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """The validation metric of fully trained configurations, mean over the fits (configurations,)."""
        return self.curves[:, :, -1].mean(axis=1)


def train(name: str, folder: Path, workers: int) -> None:
    """Train every configuration of a space that has no line yet in its file, and append one line for each."""
    space, file = find_space(name), folder / f"{name}.jsonl"
    trained = _lines(file)
    write_text(file, "".join(json.dumps(line) + "\n" for line in trained.values()))  # without an unfinished line
    left = [row for row in range(len(space.configurations)) if row not in trained]
    for number, line in enumerate(_train_rows(name, left, workers), start=1):
        _append(file, line)
        print(f"{name}: {number} of {len(left)}, {sum(line['seconds']):.1f} s", flush=True)


def pack(name: str, folder: Path) -> Path:
    """Write the committed table of a space from the lines of `train`: a row for each fit.

    Raises:
        ModelyardError: a configuration is missing.
    """
    space, lines = find_space(name), _lines(folder / f"{name}.jsonl")
    configurations = space.configurations
    if missing := len(configurations) - len(lines):
        raise ModelyardError(f"{name}: {missing} of {len(configurations)} configurations are not trained: train first.")
    rows = [
        {**space.labels(values), "fit": fit, "seconds": line["seconds"][fit], "test": round(line["test"][fit], 6)}
        | {"samples": line["samples"]}
        | {f"epoch_{number}": round(score, 6) for number, score in enumerate(line["curves"][fit], start=1)}
        for values, line in zip(configurations, (lines[row] for row in range(len(configurations))), strict=True)
        for fit in range(space.fits)
    ]
    path = FOLDER / f"{name}.csv.xz"
    with atomic_file(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, compression="xz")
    return path


def load(name: str, folder: Path | None = None) -> Table:
    """Read the table of a space.

    Raises:
        ModelyardError: there is none, or it is one of another grid.
    """
    space, path = find_space(name), (folder or FOLDER) / f"{name}.csv.xz"
    if not path.exists():
        raise ModelyardError(f"no table of {name}: run `python -m benchmarks.search table {name}` first.")
    rows = pd.read_csv(path)
    expected = [space.labels(values) for values in space.configurations for _ in range(space.fits)]
    if rows[list(space.grid)].to_dict("records") != expected:
        raise ModelyardError(f"{path} is the table of another grid than that of spaces.py: train it again.")
    curves = rows.filter(regex=r"^epoch_\d+$").to_numpy(dtype=float).reshape(-1, space.fits, space.epochs)
    test, seconds = (rows[key].to_numpy(dtype=float).reshape(-1, space.fits) for key in ("test", "seconds"))
    return Table(space, curves, test.mean(axis=1), seconds.sum(axis=1), int(rows.samples[0]))


def _train_rows(name: str, left: list[int], workers: int) -> Iterator[dict[str, Any]]:
    """Train rows in worker processes; new ones take over after a while.

    `max_tasks_per_child` would replace them, but can leave a pool without any: https://github.com/python/cpython/issues/115634.
    """
    context = multiprocessing.get_context("spawn")  # a process that has computed with TensorFlow cannot be forked
    share = CONFIGURATIONS_PER_PROCESS * workers
    for rows in (left[start : start + share] for start in range(0, len(left), share)):
        pool = ProcessPoolExecutor(workers, mp_context=context)
        try:
            for future in as_completed([pool.submit(_train_row, name, row) for row in rows]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _train_row(name: str, row: int) -> dict[str, Any]:
    """One line; the curve of a fit that diverges ends early, and its test score is NaN."""
    if name not in _trainers:
        _trainers[name] = Trainer(find_space(name))
    trainer, space = _trainers[name], find_space(name)
    values = space.configurations[row]
    curves: list[list[float]] = [[] for _ in range(space.fits)]
    test, seconds = [math.nan] * space.fits, [math.nan] * space.fits
    for number, curve in enumerate(curves):
        began = time.process_time()
        with suppress(ModelyardError):
            model = trainer.fit(values, number, space.epochs, curve.append)
            seconds[number] = round(time.process_time() - began, 2)
            test[number] = trainer.test_score(values, model)
    return {"row": row, "curves": curves, "test": test, "seconds": seconds, "samples": trainer.samples}


def _append(file: Path, line: dict[str, Any]) -> None:
    """Append a line by a single write: a killed program leaves whole lines, or an unfinished last one."""
    with file.open("ab") as opened:
        os.write(opened.fileno(), (json.dumps(line) + "\n").encode())


def _lines(file: Path) -> dict[int, dict[str, Any]]:
    """The lines by their rows, without an unfinished last one."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    return {line["row"]: line for line in lines}
