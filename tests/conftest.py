"""What the tests share: small inputs, the mirror where there is one, and a clone of this project to run for real."""

from modelyard.core.environment import set_variables

# Tests compute as commands and stages do, whichever of them comes first in a process.
set_variables()

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from support.clones import clone_into, surroundings
from support.inputs import describe
from support.pipelines import Run
from support.postgresql import postgresql, postgresql_server  # noqa: F401 (fixtures)

from modelyard.core.processes import core_count
from modelyard.data import mirrors
from modelyard.data.inputs import TrainingInput
from modelyard.data.mirrors import split_mirrors
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models import Runtime
from modelyard.models.engine import runtime

# A shell's background job ignores Ctrl-C, and so would every command that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Commands that tests start by name are those of this environment, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# Derandomised: the same examples on every run, so that a red build can be repeated.
hypothesis_settings.register_profile("project", deadline=None, derandomize=True)
hypothesis_settings.load_profile("project")


# As the environment names them before a test changes it.
MIRRORS = [Path(mirror).absolute() for mirror in split_mirrors(os.environ.get("MODELYARD_MIRROR", ""))]


def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`, a process for each core that this one may use; xdist itself counts those of the machine."""
    return core_count()


@pytest.fixture(autouse=True, scope="module")
def _short_garbage_collections() -> None:
    """Spare what is imported: with TensorFlow a collection takes a second, and statsmodels' multipletests makes one."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _restored_sys_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that MLflow loads puts the package of its archive first, where processes of later tests would find it."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(autouse=True)
def _no_tracking_and_no_data_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test says for itself when it tracks runs, or has a mirror or a cache."""
    monkeypatch.setenv("MODELYARD_TRACKING", "off")
    monkeypatch.setenv("MODELYARD_CACHE", "off")
    monkeypatch.setattr(mirrors, "SYSTEM_DATASETS", "/nowhere/datasets")
    for name in (
        "MODELYARD_MIRROR",
        "MODELYARD_REBUILD",
        "MLFLOW_TRACKING_URI",
        "DVC_ROOT",
        "DVC_STAGE",
        "DVC_EXP_NAME",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def real_file() -> Callable[..., Path]:
    """Finds a file of a real data set, which may have several names, in the mirrors that MODELYARD_MIRROR names."""

    def find(*places: str) -> Path:
        candidates = [folder / place for folder in MIRRORS for place in places]
        found = next(filter(Path.is_file, candidates), None)
        return found or pytest.skip(f"NO REAL DATA: no folder that MODELYARD_MIRROR names holds {' or '.join(places)}")

    return find


@pytest.fixture(scope="session")
def real_mnist(real_file: Callable[..., Path]) -> Path:
    """The folder of MNIST's four files."""
    return real_file("mnist/train-images-idx3-ubyte.gz").parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """This project as it stands here, tracked and untracked files alike, as a git repository of its own."""
    return clone_into(tmp_path / "clone")


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a command run in a clone: this Python first on the PATH, no tracking, no mirror."""
    return surroundings()


@pytest.fixture(scope="session")
def default_runtime() -> None:
    """TensorFlow with the runtime of a default training, for a test that uses Keras before any training does."""
    runtime.use(Runtime())


@pytest.fixture
def regression_input() -> TrainingInput:
    """60 rows of 3 features on a line with a little noise, the last 12 for validation."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    rows = Samples(x, x @ np.array([1.0, -2.0, 0.5]) + 3 + random.normal(scale=0.1, size=60))
    return TrainingInput(describe(rows, validation_samples=12), rows)


@pytest.fixture
def word_input() -> TrainingInput:
    """80 rows of up to 6 word numbers below 12, padded with 0, in two classes; word 5 occurs in one class only."""
    random = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = random.integers(6, 12, size=(80, 6))
    x[np.arange(80), random.integers(0, 3, size=80)] = np.where(y, 5, 6)
    x[np.arange(6) >= random.integers(3, 7, size=(80, 1))] = 0
    rows = Samples(x.astype(np.uint16), y.astype(np.uint8))
    words = tuple(f"word {number}" for number in range(12))
    return TrainingInput(describe(rows, 16, ("without", "with"), words=words), rows)


@pytest.fixture
def box_input() -> TrainingInput:
    """80 uint8 images of 16 x 16 pixels with one or two squares, dark or bright, and their boxes; 16 for validation."""
    random = np.random.default_rng(0)
    x = np.full((80, 16, 16, 1), 128, dtype=np.uint8)
    y = np.tile(np.float32([-1, 0, 0, 0, 0]), (80, 2, 1))
    for number, (image, boxes) in enumerate(zip(x, y, strict=True)):
        for place in range(1 + number % 2):
            left, top, bright = 8 * place + random.integers(0, 4), random.integers(0, 12), random.integers(0, 2)
            image[top : top + 4, left : left + 4] = 255 * bright
            boxes[place] = bright, left, top, left + 4, top + 4
    rows = Samples(x, y)
    scaler = Scaler(scale=(255.0,))
    described = describe(rows, 16, ("dark", "bright"), task="detection", scaling="pixels", scaler=scaler)
    return TrainingInput(described, rows)


@pytest.fixture(scope="session")
def image_input() -> TrainingInput:
    """80 uint8 images of 8 x 8 pixels in two classes that brightness tells apart, the last 16 for validation.

    All tests share them, and none can write into them.
    """
    random = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = (random.integers(0, 100, size=(80, 8, 8, 1)) + 150 * y[:, None, None, None]).astype(np.uint8)
    rows = Samples(x, y.astype(np.uint8))
    rows.x.flags.writeable = rows.y.flags.writeable = False
    scaler = Scaler(scale=(255.0,))
    return TrainingInput(describe(rows, 16, ("dark", "bright"), scaling="pixels", scaler=scaler), rows)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing in them: making one takes seconds, copying it none."""
    import mlflow

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def tracked_project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's root, the current folder, whose runs are tracked; and MLflow as if freshly imported."""
    import mlflow
    from support.mlflow_runs import forget_mlflow

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    yield tmp_path
    mlflow.end_run()
    forget_mlflow()


@pytest.fixture
def run(clone: Path, environment: dict[str, str]) -> Run:
    """Runs a command in the clone, with the clone's own code."""

    def run(*command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess:
        around = environment | {"PYTHONPATH": str(clone / "src"), "COLUMNS": "300"} | variables
        done = subprocess.run(command, cwd=clone, env=around, capture_output=True, text=True, timeout=600)
        assert not check or done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    return run
