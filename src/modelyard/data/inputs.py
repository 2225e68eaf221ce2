"""Inputs of models: a data set, divided, with a fitted scaling, as memory-mapped arrays on disk."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from operator import not_
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field, ValidationError

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, read_json, write_json
from modelyard.data.columns import Column
from modelyard.data.decision_threshold import DecisionThreshold
from modelyard.data.preprocessing import Imputation, Preprocessing, Strategy, choose_imputation, fit_scaler, refuse_gaps
from modelyard.data.preprocessing import fit as fit_preprocessing
from modelyard.data.readers import RawData
from modelyard.data.readers.csv_table import CsvFormat
from modelyard.data.readers.image_file import ImageFormat, ImageSizes
from modelyard.data.samples import Samples, Task
from modelyard.data.scaling import Method, Scaler, fit, leak_test_range
from modelyard.data.slices import slice_column
from modelyard.data.splits import (
    Divider,
    Split,
    SplitBy,
    check_task,
    divide_test,
    divide_validation,
    find_divider,
    keep_first,
)
from modelyard.data.target_scaling import Method as TargetMethod
from modelyard.data.target_scaling import TargetScaler

WHITE = 255
"""Of images with 8 bits per pixel."""
MIN_FREQUENCY = 10  # one-hot features of fewer samples are hardly learnt
SLICES = "slices.json"
MEASURED_ONLY = {"slices"}
"""The key of an input that changes no sample; excluded where settings are compared."""


class InputSettings(Settings):
    """One entry of `inputs`."""

    dataset: str
    split: Split
    scaling: Method = Field(
        description="fitted on the training samples; minmax_per_split is the leak of notebook 004, kept as a mistake"
    )
    target_scaling: TargetMethod = Field(
        default="none",
        exclude_if=lambda method: method == "none",
        description="of a regression, fitted on the training samples; standard: (y - mean) / standard deviation; log: "
        "the same of log(1 + y), for targets from 0 on that span orders of magnitude. The model inverts it: "
        "predictions and metrics are in the target's own unit, only the loss of a network is that of scaled targets",
    )
    imputation: Strategy | Imputation | dict[str, Strategy | Imputation] = Field(
        default="refuse",
        exclude_if=lambda strategies: strategies == "refuse",
        description="of a table: what stands for gaps, for all columns or by column; keep: a category of its own, or "
        "for numbers a gap, which not every family takes",
    )
    min_frequency: int = Field(
        default=MIN_FREQUENCY,
        ge=1,
        exclude_if=MIN_FREQUENCY.__eq__,
        description="of a table: categories in fewer training samples are taken together as `other`",
    )
    slices: tuple[str, ...] = Field(
        default=(),
        exclude_if=not_,
        description="columns of the table, features or not: the evaluation also measures the test samples of each "
        "value alone, and of the quarters of a column of many numbers. It retrains nothing",
    )


class InputDescription(Settings):
    """Everything that a model must know of its input besides the samples."""

    dataset: str
    task: Task
    features: tuple[str, ...]
    classes: tuple[str, ...]
    words: tuple[str, ...] = Field(default=(), description="for samples of word numbers: the word of each number")
    shape: tuple[int, ...]
    dtype: str
    training_samples: int
    validation_samples: int
    scaling: Method
    scaler: Scaler
    target_scaler: TargetScaler | None = Field(default=None, exclude_if=not_)
    split_by: SplitBy | None = Field(
        default=None, exclude_if=not_, description="by what the samples were divided; folds are divided by it too"
    )
    columns: tuple[Column, ...] = Field(
        default=(), exclude_if=not_, description="of a table that has more than numbers"
    )
    csv_format: CsvFormat | None = Field(default=None, exclude_if=not_, description="of such a table")
    preprocessing: Preprocessing | None = Field(
        default=None,
        exclude_if=not_,
        description="of such a table: from raw features to what a model computes with",
    )
    image_format: ImageFormat | None = Field(
        default=None, exclude_if=not_, description="of image files: how they become samples, when predicting as well"
    )
    image_sizes: ImageSizes | None = Field(
        default=None, exclude_if=not_, description="of image files: how large those of the data set are"
    )
    threshold: DecisionThreshold | None = Field(
        default=None, exclude_if=not_, description="of a model of two classes that has one: chosen in its training"
    )

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns of the user's file that a model takes; none for samples that are no table."""
        return tuple(column.name for column in self.columns) or self.features

    def takes_gaps(self, feature: int) -> bool:
        """Whether a feature of a table may have no value."""
        return self.preprocessing is not None and self.preprocessing.takes_gaps(feature)

    @property
    def white_level(self) -> float:
        """The value of a white pixel in raw images: the top of the range that the scaling maps to 1, else 255."""
        if self.scaling not in ("pixels", "minmax"):
            return WHITE
        return float(np.max(np.add(self.scaler.offset, self.scaler.scale)))

    @property
    def network_dtype(self) -> str:
        """The type of a network's raw input: pixels and word numbers as they are, all else as float32."""
        return self.dtype if np.dtype(self.dtype).kind == "u" else "float32"


@dataclass(frozen=True)
class TrainingInput:
    """The samples that training may see; in `samples` the validation samples stand last.

    `groups` has the number of each sample's group, where the samples are split by group.
    """

    description: InputDescription
    samples: Samples
    groups: np.ndarray | None = None

    @property
    def training(self) -> Samples:
        """The samples that models are fitted on."""
        count = self.description.training_samples
        return Samples(self.samples.x[:count], self.samples.y[:count])

    @property
    def validation(self) -> Samples:
        """The samples that are held out during training."""
        count = self.description.training_samples
        return Samples(self.samples.x[count:], self.samples.y[count:])

    def take(self, indices: np.ndarray) -> "TrainingInput":
        """Return the input with the samples at these indices, in this order, and the same description."""
        groups = None if self.groups is None else self.groups[indices]
        return TrainingInput(self.description, self.samples.take(indices), groups)


Slices = Mapping[str, np.ndarray]
"""By the name of a column, the value or range of each test sample there (n,), as text."""


def prepare(raw: RawData, task: Task, settings: InputSettings) -> tuple[TrainingInput, Samples]:
    """Divide raw data and fit its scalings on the training samples; all samples stay raw, in their compact type.

    Returns:
        The training input and the test samples.

    Raises:
        ModelyardError: the split does not fit the data set, or the target scaling its targets.
    """
    columns, imputation = _columns(raw, settings)
    check_task(settings.split, task)
    training, validation_count, test = _divide(raw, settings)
    samples = training.samples
    training_count = len(samples) - validation_count
    description = InputDescription(
        dataset=settings.dataset,
        task=task,
        features=raw.features,
        classes=raw.classes,
        words=raw.words,
        shape=samples.x.shape[1:],
        dtype=str(samples.x.dtype),
        training_samples=training_count,
        validation_samples=validation_count,
        scaling=settings.scaling,
        scaler=Scaler(),
        target_scaler=None if settings.target_scaling == "none" else TargetScaler(method=settings.target_scaling),
        split_by=settings.split.by,
        columns=columns,
        csv_format=raw.csv_format,
        preprocessing=Preprocessing(imputation=imputation, min_frequency=settings.min_frequency) if columns else None,
        image_format=raw.image_format,
        image_sizes=raw.image_sizes,
    )
    groups = training.divider.values if training.divider and training.divider.by == "group" else None
    return TrainingInput(refit(description, samples), samples, groups), test.samples


def training_positions(raw: RawData, settings: InputSettings) -> np.ndarray:
    """Return where in a data set each training and validation sample of an input stands (n,), from 0."""
    return _divide(raw, settings)[0].positions


def refit(description: InputDescription, samples: Samples) -> InputDescription:
    """Fit all that is learnt from samples again, on the first `description.training_samples` of these samples.

    Raises:
        ModelyardError: a target does not allow its scaling.
    """
    count, target_scaler = description.training_samples, description.target_scaler
    training, preprocessing = samples.x[:count], description.preprocessing
    if preprocessing:
        preprocessing = fit_preprocessing(
            description.columns, preprocessing.imputation, preprocessing.min_frequency, training
        )
    learnt = {
        "preprocessing": preprocessing,
        "scaler": _scaler(description.scaling, description.columns, preprocessing, training),
        "target_scaler": target_scaler and target_scaler.refit(samples.y, count),
    }
    return description.model_copy(update=learnt)


def write_input(
    raw: RawData, task: Task, settings: InputSettings, training: Path, test: Path
) -> tuple[TrainingInput, Samples]:
    """Prepare an input and write its training folder and its test folder.

    Returns:
        What `prepare` returns: the test samples as they are, also where a leak was written.
    """
    slices = slice_test(raw, settings)
    training_input, test_samples = prepare(raw, task, settings)
    save_training(training_input, training)
    save_test(evaluation_samples(test_samples, training_input.description), test, slices)
    return training_input, test_samples


def slice_test(raw: RawData, settings: InputSettings) -> Slices:
    """Return the slices of an input's test samples; none where it asks for none.

    Raises:
        ModelyardError: there is no such column, or it has too many values.
    """
    if not settings.slices:
        return {}
    if raw.test is not None:
        raise ModelyardError(
            f"`slices`: data set {settings.dataset} has test samples of its own, of which no columns are kept: leave "
            "it out."
        )
    labels = {column: slice_column(column, raw.keys, raw.texts) for column in settings.slices}
    positions = _divide(raw, settings)[2].positions
    return {column: values[positions] for column, values in labels.items()}


def evaluation_samples(test: Samples, description: InputDescription) -> Samples:
    """Return the test samples that evaluation sees: unchanged, unless the input's scaling is the deliberate leak."""
    if description.scaling == "minmax_per_split":
        return Samples(leak_test_range(test.x, description.scaler), test.y)
    return test


def save_training(training: TrainingInput, folder: Path) -> None:
    """Write the training and validation samples and their description."""
    with atomic_folder(folder) as temporary:
        _save_samples(training.samples, temporary)
        if training.groups is not None:
            _save_array(training.groups, temporary / "groups.npy")
        save_description(training.description, temporary)


def save_test(test: Samples, folder: Path, slices: Slices | None = None) -> None:
    """Write the test samples and, if there are any, their slices."""
    with atomic_folder(folder) as temporary:
        _save_samples(test, temporary)
        if slices:
            write_json(temporary / SLICES, {column: labels.tolist() for column, labels in slices.items()})


def load_training(folder: Path) -> TrainingInput:
    """Open the training and validation samples, memory-mapped."""
    description = load_description(folder)
    groups = _open_array(folder / "groups.npy") if description.split_by == "group" else None
    return TrainingInput(description, _open_samples(folder), groups)


def save_description(description: InputDescription, folder: Path) -> None:
    """Write the description of an input."""
    write_json(folder / "input.json", description.model_dump(mode="json"))


def load_description(folder: Path) -> InputDescription:
    """Read the description of an input.

    Raises:
        ModelyardError: it has other keys, because another version wrote it.
    """
    path = folder / "input.json"
    try:
        return InputDescription.model_validate_json(path.read_text(encoding="utf-8"), strict=False)
    except ValidationError:
        raise ModelyardError(
            f"{path} was written by another version of Modelyard: build it again with `modelyard run`, and a "
            "registered model also with `modelyard promote`."
        ) from None


def load_test(folder: Path) -> Samples:
    """Open the test samples, memory-mapped. Only `experiments.evaluate` calls this."""
    return _open_samples(folder)


def load_slices(folder: Path) -> Slices:
    """Read the slices of the test samples; none where the input has none. Only `experiments.evaluate` calls this."""
    path = folder / SLICES
    return {column: np.array(labels) for column, labels in read_json(path).items()} if path.exists() else {}


class _Divisible(NamedTuple):
    """Samples, where each stands in the data set, and what they are divided by further."""

    samples: Samples
    positions: np.ndarray
    divider: Divider | None = None

    def take(self, indices: np.ndarray) -> "_Divisible":
        return _Divisible(
            self.samples.take(indices), self.positions[indices], self.divider and self.divider.take(indices)
        )


def _divide(raw: RawData, settings: InputSettings) -> tuple[_Divisible, int, _Divisible]:
    """Return the training samples, those for validation last, the number of the latter, and the test samples."""
    training, test = _divide_test(raw, settings)
    kept = keep_first(len(training.samples), settings.split)
    divider = training.divider and training.divider.take(np.arange(kept))
    order, validation_count = divide_validation(kept, settings.split, divider)
    return training.take(order), validation_count, test


def _divide_test(raw: RawData, settings: InputSettings) -> tuple[_Divisible, _Divisible]:
    """Return the training samples and the test samples."""
    divider = find_divider(settings.split, raw.samples, raw.keys, raw.texts, raw.classes)
    samples = _Divisible(raw.samples, np.arange(len(raw.samples)), divider)
    if settings.split.test == "predefined":
        if raw.test is None:
            seed = "." if settings.split.time else ", and a `test_seed`."
            raise ModelyardError(
                f"data set {settings.dataset} has no test samples of its own: "
                f"give `split.test` a fraction, such as 0.2{seed}"
            )
        if samples.divider and samples.divider.by == "time":
            samples = samples.take(np.argsort(samples.divider.values, kind="stable"))
        return samples, _Divisible(raw.test, np.arange(len(raw.test)))
    if raw.test is not None:
        raise ModelyardError(
            f"data set {settings.dataset} has test samples of its own: write `split.test: predefined`."
        )
    training, test = divide_test(len(raw.samples), settings.split, samples.divider)
    return samples.take(training), samples.take(test)


def _columns(raw: RawData, settings: InputSettings) -> tuple[tuple[Column, ...], tuple[Imputation, ...]]:
    """The columns of a table, with the imputation of each feature; none for data that have nothing to impute."""
    columns = raw.columns
    if not columns and settings.imputation != "refuse":
        if not raw.features:
            raise ModelyardError("`imputation` is for tables; leave it out.")
        columns = tuple(Column(name=name, kind="number") for name in raw.features)
    imputation = choose_imputation(columns, settings.imputation)
    if columns:
        refuse_gaps(columns, imputation, raw.samples.x)
    return columns, imputation


def _scaler(
    method: Method, columns: tuple[Column, ...], preprocessing: Preprocessing | None, training: np.ndarray
) -> Scaler:
    if preprocessing is None:
        return fit(method, training)
    if method not in ("none", "minmax", "standard"):
        raise ModelyardError(f"`scaling: {method}` is not for tables with categories or gaps: take minmax or standard.")
    return fit_scaler(method, preprocessing, columns, training)


def _save_samples(samples: Samples, folder: Path) -> None:
    _save_array(samples.x, folder / "x.npy")
    _save_array(samples.y, folder / "y.npy")


def _save_array(array: np.ndarray, path: Path) -> None:
    try:
        np.save(path, array, allow_pickle=False)
    except OSError as error:  # on a full disk numpy's error has a text only, no errno
        raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error), str(path)) from None


def _open_samples(folder: Path) -> Samples:
    return Samples(_open_array(folder / "x.npy"), _open_array(folder / "y.npy"))


def _open_array(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
