"""The bits of a result follow from the number of threads, not from the cores that they run on, nor from a GPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inputs import describe, training_context
from support.servers import BOUND

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import restrict_to_cores, usable_cores
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models import NetworkTraining, Runtime, device_name
from modelyard.models.engine import runtime
from modelyard.models.families import cnn

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from models.engine.test_runtime import train
sys.stdout.buffer.write(train(Path(sys.argv[3]), threads=int(sys.argv[4])))
"""


def train(folder: Path, report: Any = lambda metrics: None, **changes: Any) -> bytes:
    """The weights, and predictions, of a network that is large enough for several threads."""
    random = np.random.default_rng(0)
    rows = Samples(random.integers(0, 255, (256, 20, 20, 1), dtype=np.uint8), random.integers(0, 2, 256, np.uint8))
    data = TrainingInput(describe(rows, 0, ("a", "b"), scaling="pixels", scaler=Scaler(scale=(255.0,))), rows)
    settings = cnn.Settings(family="cnn", filters=(8, 16), units=(32,))
    training = NetworkTraining(seed=7, epochs=4, batch_size=64, loss="sparse_categorical_crossentropy")
    model, _ = models.fit(settings, training, data, training_context(folder, report, **changes))
    return b"".join(each.tobytes() for each in (*model.native.get_weights(), model.predict(rows.x)))


def test_cores_that_come_and_go_change_no_bit(tmp_path: Path) -> None:
    cores = usable_cores()
    undisturbed, shares = train(tmp_path), []

    def take_and_give(metrics: dict[str, float]) -> None:
        shares.append(cores[:1] if metrics["epoch"] % 2 else cores)
        restrict_to_cores(os.getpid(), shares[-1])

    try:
        assert train(tmp_path, take_and_give) == undisturbed
    finally:
        restrict_to_cores(os.getpid(), cores)
    assert shares == [cores[:1], cores, cores[:1], cores]


@pytest.mark.slow
def test_another_number_of_threads_gives_other_bits(tmp_path: Path) -> None:
    """What the test above would not notice, if the network were too small for more than one thread."""
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tests), str(tests.parent / "src"), str(tmp_path)]
    four, one = (subprocess.check_output([*command, n], stderr=subprocess.DEVNULL, timeout=BOUND) for n in ("4", "1"))
    assert four == train(tmp_path)
    assert len(one) == len(four)
    assert one != four


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelyardError, match=r"runtime\.device in params\.yaml is gpu, but .*doctor"):
        runtime.use(Runtime(device="gpu"))


def test_on_the_cpu_no_gpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    runtime.use(Runtime())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert device_name(Runtime()) == "cpu"


def test_a_gpu_is_recorded_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["the only one"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"device_name": "NVIDIA T4"})
    assert device_name(Runtime(device="gpu")) == "gpu: NVIDIA T4"
