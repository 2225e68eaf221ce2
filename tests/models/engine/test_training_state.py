"""A training that was stopped goes on at its last epoch, and ends with the bytes of an unbroken one."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import training_context
from support.waiting import wait_until

from modelyard import models
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.models import NetworkTraining, TrainingContext
from modelyard.models.engine import callbacks
from modelyard.models.engine.training_settings import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    PlateauSchedule,
)
from modelyard.models.engine.training_state import EpochState, StateFile
from modelyard.models.families import cnn, mlp, recurrent

STATE = EpochState(
    [{"loss": 0.1, "val_loss": 1 / 3}], {"EarlyStopping": {"best": None}}, {"variable_0": np.eye(2, dtype=np.float32)}
)


# --- the file ---


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "deep" / "mine.npz", "key")
    assert file.read() is None
    file.write(STATE)
    found = file.read()
    assert (found.history, found.callbacks) == (STATE.history, STATE.callbacks)
    np.testing.assert_array_equal(found.arrays["variable_0"], STATE.arrays["variable_0"])
    file.remove()
    file.remove()
    assert list(file.path.parent.iterdir()) == []


def test_the_state_of_another_training_or_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "mine.npz", "key")
    file.write(STATE)
    assert StateFile(file.path, "another key").read() is None
    whole = file.path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:200] + bytes(100) + whole[300:]):
        file.path.write_bytes(damaged)
        assert file.read() is None


# --- trainings ---


def training(**changes: Any) -> NetworkTraining:
    loss = "sparse_categorical_crossentropy"
    return NetworkTraining(**({"seed": 7, "epochs": 6, "batch_size": 16, "loss": loss} | changes))


CNN = cnn.Settings(
    family="cnn", filters=(3, 4), batch_normalisation=True, convolution_dropout=0.3, units=(5,), dense_dropout=0.2
)
EVERYTHING = {
    "augmentation": Augmentation(flip="horizontal", shift=0.1, rotate=10.0, zoom=0.1),
    "schedule": CosineSchedule(kind="cosine", warmup_epochs=1),
    "early_stopping": EarlyStopping(patience=4, restore_best=True),
    "checkpoint": "val_accuracy",
    "optimizer": "adamw",
}
CASES = {
    "dropout, augmentation, cosine, early stopping": ("image_input", CNN, EVERYTHING),
    "a schedule that waits": (
        "image_input",
        mlp.Settings(family="mlp", units=(5,)),
        {"schedule": PlateauSchedule(kind="reduce_on_plateau", patience=1, factor=0.5), "learning_rate": 0.3},
    ),
    "words": (
        "word_input",
        recurrent.Settings(family="recurrent", vocabulary_size=12, embedding_dim=4, units=5, dropout=0.3),
        {"shuffle_buffer": 20, "optimizer": "rmsprop", "class_weights": "balanced"},
    ),
    "a leak": ("image_input", mlp.Settings(family="mlp", units=()), {"reshuffle_before_split": True}),
}


class Stopped(Exception):
    """Stands for the end of the process."""


def written(
    case: tuple, data: TrainingInput, folder: Path, stops: tuple[int, ...] = ()
) -> tuple[dict[str, bytes], list[dict]]:
    """The files of a model that is trained, stopped at the end of these epochs; and what was reported last."""
    _, settings, changes = case
    for stop in (*stops, None):
        place, reported = folder / str(stop), []
        place.mkdir(parents=True)

        def report(metrics: dict, stop: int | None = stop, reported: list = reported) -> None:
            reported.append(metrics)
            if metrics["epoch"] == stop:
                raise Stopped

        context = TrainingContext(place, training_context().runtime, report, None, StateFile(folder / "s.npz", "key"))
        try:
            model, history = models.fit(settings, training(**changes), data, context)
        except Stopped:
            continue
        model.save(place)
        history.to_csv(place / "history.csv", float_format="%.17g")
        return {path.name: path.read_bytes() for path in place.iterdir()}, reported
    raise AssertionError


@pytest.mark.parametrize("name", CASES)
def test_a_stopped_training_ends_with_the_bytes_of_an_unbroken_one(
    name: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_STATES", 0.0)
    data = request.getfixturevalue(CASES[name][0])
    unbroken, all_reported = written(CASES[name], data, tmp_path / "unbroken")
    started: list[int] = []
    fit = callbacks.keras.Model.fit
    monkeypatch.setattr(
        callbacks.keras.Model, "fit", lambda self, *args, **options: started.append(options["initial_epoch"])
        or fit(self, *args, **options),
    )  # fmt: skip
    stopped, reported = written(CASES[name], data, tmp_path / "stopped", stops=(3,))
    assert started == ([0, 0] if name == "a leak" else [0, 2])
    assert stopped == unbroken
    assert reported == all_reported


def test_a_training_that_ends_before_a_state_is_due_writes_none(
    image_input: TrainingInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_STATES", 3600.0)
    written(CASES["a schedule that waits"], image_input, tmp_path)
    assert not (tmp_path / "s.npz").exists()


KILLED = """
import sys, time
from pathlib import Path
import models.engine.test_training_state as tests
from modelyard.data.inputs import load_training
from modelyard.models.engine import callbacks
folder, pause = Path(sys.argv[1]), float(sys.argv[2])
callbacks.SECONDS_BETWEEN_STATES = 0.0
report = lambda metrics: (print(int(metrics["epoch"]), flush=True), time.sleep(pause))
state = tests.StateFile(folder / "s.npz", "key")
context = tests.TrainingContext(folder, tests.training_context().runtime, report, None, state)
data = load_training(folder / "data")
_, settings, changes = tests.CASES["dropout, augmentation, cosine, early stopping"]
(folder / "model").mkdir(exist_ok=True)
model, history = tests.models.fit(settings, tests.training(**changes), data, context)
model.save(folder / "model")
history.to_csv(folder / "history.csv", float_format="%.17g")
"""


@pytest.mark.slow
def test_a_killed_process_is_replaced_by_another_that_goes_on(image_input: TrainingInput, tmp_path: Path) -> None:
    results = []
    for name, kills in (("unbroken", 0), ("killed", 1)):
        folder = tmp_path / name
        save_training(image_input, folder / "data")
        command = [sys.executable, "-c", KILLED, str(folder)]
        tests = Path(__file__).parents[2]
        for _ in range(kills):
            with (folder / "log").open("w") as log:
                process = subprocess.Popen([*command, "0.5"], cwd=tests, stdout=log)
            try:
                wait_until(lambda folder=folder: "4" in (folder / "log").read_text().split(), seconds=600)
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            assert len(StateFile(folder / "s.npz", "key").read().history) >= 3
        subprocess.run([*command, "0"], cwd=tests, check=True, stdout=subprocess.DEVNULL)
        results.append(
            [(folder / file).read_bytes() for file in ("model/model.keras", "history.csv", "best.weights.h5")]
        )
    assert results[0] == results[1]
