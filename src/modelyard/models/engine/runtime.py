"""How a process computes with TensorFlow: its threads and its device, which both decide the last bits of a result."""

import os
from typing import Literal

from pydantic import Field

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError


class Runtime(Settings):
    """The section `runtime`: it may change the last bits of a result, so trainings and evaluations depend on it."""

    threads: int = Field(
        default=4,
        ge=1,
        description="of a training, on however many cores: the order of a sum, and so its rounding, follows from it",
    )
    device: Literal["cpu", "gpu"] = Field(
        default="cpu", description="cpu: a GPU is not used even if there is one; gpu: other bits, on each kind of GPU"
    )
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    steps_per_execution: int = Field(default=64, ge=1, description="at most; changes speed only")


def use(runtime: Runtime) -> None:
    """Fix the threads and the device of this process; TensorFlow refuses other ones once it has computed.

    Raises:
        ModelyardError: the device is gpu, and TensorFlow sees none.
    """
    if runtime.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # so that not even a driver that is broken is asked
    import tensorflow as tf

    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != runtime.threads:
        threading.set_intra_op_parallelism_threads(runtime.threads)
        threading.set_inter_op_parallelism_threads(1)  # more were not faster, and slower on one core
    if runtime.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise ModelyardError(
            "runtime.device in params.yaml is gpu, but TensorFlow sees no GPU: `modelyard doctor` shows what this "
            "machine has. Install NVIDIA's driver and tensorflow[and-cuda], or set the device to cpu."
        )


def device_name(runtime: Runtime) -> str:
    """Name what computes: the processor, or the GPU with its kind."""
    if runtime.device == "cpu":
        return "cpu"
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(each) for each in tf.config.list_physical_devices("GPU")]
    return "gpu: " + ", ".join(each.get("device_name", "unknown") for each in details)
