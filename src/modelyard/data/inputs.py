"""What a model sees: a data set, divided and with its scaling fitted, as memory-mapped arrays on disk."""

import errno
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import whole_folder, write_json
from modelyard.data.readers import RawData
from modelyard.data.samples import Samples, Task
from modelyard.data.scaling import Method, Scaler, as_if_fitted_on, fit
from modelyard.data.splits import Split, divide_test, divide_validation, keep_first


class InputSettings(Settings):
    """One entry of `inputs`."""

    dataset: str
    split: Split
    scaling: Method = Field(
        description="fitted on the training rows; minmax_per_split is the leak of notebook 004, kept as a mistake"
    )


class InputDescription(Settings):
    """All that a model must know of its input besides the rows."""

    dataset: str
    task: Task
    features: tuple[str, ...]
    classes: tuple[str, ...]
    words: tuple[str, ...] = Field(default=(), description="for rows of word numbers: the word of each")
    shape: tuple[int, ...]
    dtype: str
    training_rows: int
    validation_rows: int
    scaling: Method
    scaler: Scaler

    @property
    def network_dtype(self) -> str:
        """The type of a network's raw input: pixels and word numbers as they are, all else as float32."""
        return self.dtype if np.dtype(self.dtype).kind == "u" else "float32"


@dataclass(frozen=True)
class TrainingInput:
    """The rows that training may see; in `rows` the validation rows stand last."""

    description: InputDescription
    rows: Samples

    @property
    def training(self) -> Samples:
        return Samples(self.rows.x[: self.description.training_rows], self.rows.y[: self.description.training_rows])

    @property
    def validation(self) -> Samples:
        return Samples(self.rows.x[self.description.training_rows :], self.rows.y[self.description.training_rows :])


def prepare(raw: RawData, task: Task, settings: InputSettings) -> tuple[TrainingInput, Samples]:
    """Divide raw data and fit its scaling on the training rows; rows stay raw, in their compact type."""
    rows, test = raw.rows, raw.given_test
    if (settings.split.test == "given") != (test is not None):
        has = "brings no test rows of its own: give `split.test` a fraction, such as 0.2, and a `test_seed`"
        brings = "brings its own test rows: say `split.test: given`"
        raise ModelyardError(f"data set {settings.dataset} {has if test is None else brings}.")
    if settings.split.test != "given":
        for_training, for_test = divide_test(len(rows), settings.split)
        rows, test = rows.take(for_training), rows.take(for_test)
    kept = keep_first(len(rows), settings.split)
    order, held_back = divide_validation(kept, settings.split)
    rows = rows.take(order)
    scaler = fit(settings.scaling, rows.x[: kept - held_back])
    description = InputDescription(
        dataset=settings.dataset,
        task=task,
        features=raw.features,
        classes=raw.classes,
        words=raw.words,
        shape=rows.x.shape[1:],
        dtype=str(rows.x.dtype),
        training_rows=kept - held_back,
        validation_rows=held_back,
        scaling=settings.scaling,
        scaler=scaler,
    )
    return TrainingInput(description, rows), test


def as_evaluated(test: Samples, description: InputDescription) -> Samples:
    """The test rows that evaluation will see: as they are, unless the input's scaling is the named mistake."""
    if description.scaling == "minmax_per_split":
        return Samples(as_if_fitted_on(test.x, description.scaler), test.y)
    return test


def save_training(training: TrainingInput, folder: Path) -> None:
    """Write the rows for training and their description."""
    with whole_folder(folder) as temporary:
        _save_rows(training.rows, temporary)
        save_description(training.description, temporary)


def save_test(test: Samples, folder: Path) -> None:
    """Write the test rows."""
    with whole_folder(folder) as temporary:
        _save_rows(test, temporary)


def load_training(folder: Path) -> TrainingInput:
    """Open the rows for training, memory-mapped."""
    return TrainingInput(load_description(folder), _open_rows(folder))


def save_description(description: InputDescription, folder: Path) -> None:
    """Write what a model must know of its input."""
    write_json(folder / "input.json", description.model_dump(mode="json"))


def load_description(folder: Path) -> InputDescription:
    """Read what a model must know of its input."""
    return InputDescription.model_validate_json((folder / "input.json").read_text(encoding="utf-8"), strict=False)


def load_test(folder: Path) -> Samples:
    """Open the test rows, memory-mapped. Only `evaluation` calls this."""
    return _open_rows(folder)


def _save_rows(rows: Samples, folder: Path) -> None:
    for name, array in (("x.npy", rows.x), ("y.npy", rows.y)):
        try:
            np.save(folder / name, array, allow_pickle=False)
        except OSError as error:  # numpy tells of a full disk in words alone
            raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error), str(folder / name)) from None


def _open_rows(folder: Path) -> Samples:
    return Samples(*(np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in ("x.npy", "y.npy")))
