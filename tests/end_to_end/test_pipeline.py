"""The real stages, small, in a clone: rebuilt, left alone, rebuilt in part, without network, refused."""

import gzip
import json
import os
import signal
import subprocess
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.images import make_folder
from support.pipelines import add_linear, dvc, editing, editing_params, keep_only, lock, stages_run
from support.waiting import wait_until

pytestmark = pytest.mark.slow

IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
NOWHERE = "http://127.0.0.1:9"  # refuses at once
BOUND_GIGABYTES = 2.5  # for a training on 70,000 images; `modelyard run` counts on 3 a stage


def write_idx(path: Path, values: np.ndarray) -> None:
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(bytes((0, 0, 8, values.ndim)) + shape + values.tobytes(), compresslevel=1, mtime=0))


def read_idx(path: Path, rows: int) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)[:rows]


def take_few_rows_of_mnist(params: dict, real: Path, few: Path) -> None:
    """Write the first 300 training and 100 test rows in the real format, and name their checksums."""
    for name in IDX:
        write_idx(few / "mnist" / name, read_idx(real / name, 300 if name.startswith("train") else 100))
        content = gzip.decompress((few / "mnist" / name).read_bytes())
        params["datasets"]["mnist"]["files"][name]["decompressed"] = sha256(content).hexdigest()
    params["datasets"]["mnist"]["expect"]["rows"] = 400


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


def packages_imported(done: subprocess.CompletedProcess) -> set[str]:
    """What a command and all that it started imported, printed by Python if PYTHONPROFILEIMPORTTIME is set."""
    lines = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {name.partition(".")[0] for name in lines}


def make_small(params: dict, experiments: list[str]) -> None:
    add_linear("mnist_linear", "mnist", params)
    params["transfers"]["digits_transfer"] = {
        "input": "digits",
        "model": {"family": "transfer", "backbone": "digits_cnn"},
        "training": params["experiments"]["digits_cnn"]["training"] | {"epochs": 2},
    }
    keep_only(params, experiments)
    params["studies"] = {}
    for name, epochs in (("xor_mlp", 5), ("digits_cnn", 2), ("diabetes_mlp_standard", 3)):
        params["experiments"][name]["training"]["epochs"] = epochs


def test_the_pipeline_builds_once_and_again_only_what_an_edit_concerns(clone, run, environment, tmp_path, request):
    experiments = ["xor_mlp", "digits_cnn", "digits_transfer", "diabetes_mlp_standard", "boston_linear"]
    with suppress(pytest.skip.Exception):
        real_mnist = request.getfixturevalue("real_mnist")
        experiments += ["mnist_linear"]
        environment["MODELYARD_MIRROR"] = str(tmp_path / "few")
    with editing_params(clone) as params:
        make_small(params, experiments)
        if "mnist_linear" in experiments:
            take_few_rows_of_mnist(params, real_mnist, tmp_path / "few")

    # --- everything, two stages at a time
    run("modelyard", "run", "-j", "2")
    results, comparison = clone / "results", clone / "reports" / "comparison.md"
    for name in experiments:
        assert np.isfinite(list(read_json(results / name / "metrics.json").values())).all()
        assert len(pd.read_csv(results / name / "predictions.csv")) > 0
        assert list((results / name / "figures").glob("*.png"))
        assert f"| `{name}` |" in comparison.read_text()
    for name in params["inputs"]:
        assert read_json(clone / "data" / "inputs" / name / "data.json")["parts"]["training"]["rows"] > 0
    error = read_json(results / "boston_linear" / "metrics.json")["mse"]
    assert error == pytest.approx(error_of_least_squares(clone / "data" / "raw" / "boston"), rel=1e-6)

    # --- DVC itself finds nothing left to do
    assert stages_run(run(*dvc("repro"))) == []

    # --- nor does modelyard, and it imports nothing that computes to find that out
    idle = run("modelyard", "run", PYTHONPROFILEIMPORTTIME="1")
    assert f"Stages: {len(lock(clone)['stages'])} unchanged." in idle.stdout
    heavy = {"tensorflow", "keras", "sklearn", "mlflow", "optuna", "pandas", "networkx", "joblib"}
    assert packages_imported(idle) & heavy == set()
    assert "dvc" in packages_imported(idle)

    # --- forced, one at a time: the same bytes
    built = lock(clone)
    forced = ["normalise@digits", "train@digits_cnn", "train_transfer@digits_transfer"]
    forced += ["train@boston_linear", "evaluate@boston_linear"]
    assert stages_run(run(*dvc("repro", "--force", "--single-item", *forced))) == forced
    assert lock(clone) == built

    # --- a new family and another way of logging concern no stage
    family = clone / "src" / "modelyard" / "models" / "families" / "new.py"
    family.write_text((family.parent / "mlp.py").read_text().replace('Literal["mlp"]', 'Literal["new"]'))
    tracking = clone / "src" / "modelyard" / "tracking" / "__init__.py"
    tracking.write_text(tracking.read_text() + "\n# a remark\n")
    assert stages_run(run(*dvc("repro"))) == []

    # --- a published figure concerns the comparison alone
    with editing(clone / "published.yaml") as published:
        published["digits_cnn"]["metrics"] = {"accuracy": 0.123}
    assert stages_run(run(*dvc("repro"))) == ["compare"]
    assert "accuracy 0.123 outside" in comparison.read_text()

    # --- an experiment's settings concern that experiment alone
    with editing_params(clone) as params:
        params["experiments"]["xor_mlp"]["training"]["epochs"] = 6
    plan = run("modelyard", "run", "--dry-run").stdout
    assert "experiments.xor_mlp.training.epochs: 5 -> 6" in plan
    assert f"4 of {len(built['stages'])} stages would run" in plan
    ran = stages_run(run(*dvc("repro")))
    assert (ran[0], ran[-1], set(ran[1:-1])) == ("train@xor_mlp", "compare", {"evaluate@xor_mlp", "export@xor_mlp"})
    assert len(pd.read_csv(results / "xor_mlp" / "history.csv")) == 6


def test_a_system_without_affinity_and_pidfd_builds_the_same(clone, run, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nfor name in ('sched_getaffinity', 'sched_setaffinity', 'pidfd_open'): delattr(os, name)\n"
    )
    with editing_params(clone) as params:
        keep_only(params, ["xor_mlp"])
        params["experiments"]["xor_mlp"]["training"]["epochs"] = 5
    path = os.pathsep.join((str(tmp_path), str(clone / "src")))
    assert "Stages: 7 built, in " in run("modelyard", "run", "-j", "2", PYTHONPATH=path).stdout
    assert "processor" in run("modelyard", "doctor", PYTHONPATH=path).stdout
    elsewhere = lock(clone)
    run(*dvc("repro", "--force", "train@xor_mlp"))
    assert lock(clone) == elsewhere


def test_an_interrupted_training_says_so_and_leaves_no_process_behind(clone, environment):
    with editing_params(clone) as params:
        keep_only(params, ["digits_mlp"])
        params["experiments"]["digits_mlp"]["training"]["epochs"] = 1_000_000
    command = subprocess.Popen(["modelyard", "run"], cwd=clone, env=environment, stdout=subprocess.PIPE, text=True)
    log = clone / ".dvc" / "tmp" / "runner" / "logs" / "train@digits_mlp.log"
    wait_until(lambda: log.exists() and "epoch 1/" in log.read_text())
    assert len(processes_in(clone)) > 1
    command.send_signal(signal.SIGINT)
    said, _ = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "Stopped. Finished stages are kept; run again to continue." in said
    wait_until(lambda: not processes_in(clone))
    assert not list((clone / "results" / "digits_mlp").iterdir())


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
    return found


def error_of_least_squares(raw: Path) -> float:
    """Mean squared error on the rows that the notebook's shuffle of Boston leaves for the test, by plain numpy."""
    table = np.loadtxt(raw / "boston_housing.csv", delimiter=",")
    x, y = np.column_stack([np.ones(506), table[:, :-1]]), table[:, -1]
    order = np.arange(506)
    np.random.RandomState(777).shuffle(order)
    train, test = order[:404], order[404:]
    coefficients = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
    return float(np.mean((x[test] @ coefficients - y[test]) ** 2))


def download_boston(params: dict) -> dict:
    """Let Boston be downloaded from an address that refuses; returns the source of its file."""
    dataset = params["datasets"]["boston"]
    (file,) = dataset["files"]
    dataset["folder"] = "housing"
    dataset["files"][file] = {"url": f"{NOWHERE}/{file}", "sha256": dataset["files"][file]["sha256"]}
    return dataset["files"][file]


def test_without_network_and_mirror_the_rest_is_built_and_what_is_missing_is_listed(clone, run):
    with editing_params(clone) as params:
        add_linear("diabetes_linear", "diabetes_standard", params)
        keep_only(params, ["diabetes_linear", "boston_linear"])
        params["fetch"]["mirrors"] = ["../no-such-mirror", f"{NOWHERE}/mirror"]
        download_boston(params)
    folder = clone.parent / "no-such-mirror" / "housing"
    addresses = [f"{folder}/boston_housing.csv", f"{NOWHERE}/mirror/housing/boston_housing.csv"]
    expected = ["Not available: boston_housing.csv.", *addresses, f"{NOWHERE}/boston_housing.csv"]
    expected += ["What to do: connect to the network and run again; or put the file at", "MODELYARD_MIRROR="]

    # --- modelyard run: what can be built is built
    said = run("modelyard", "run", "--verbose").stdout
    expected_here = [*expected, "fetch@boston cannot run", "needs fetch@boston", "Not rebuilt: boston_linear."]
    assert [text for text in expected_here if text not in said] == []
    assert (clone / "results" / "diabetes_linear" / "metrics.json").exists()
    assert "not built yet" in (clone / "reports" / "comparison.md").read_text()

    # --- strict, and DVC itself
    assert run("modelyard", "run", "--strict", check=False).returncode == 1
    stopped = run(*dvc("repro"), check=False)
    assert stopped.returncode != 0
    assert [text for text in expected if text not in stopped.stdout + stopped.stderr] == []


def test_a_tampered_file_of_a_mirror_is_refused_with_both_checksums(clone, run, tmp_path):
    folder = tmp_path / "mirror" / "housing"
    folder.mkdir(parents=True)
    (folder / "boston_housing.csv").write_bytes(b"not what it was")
    with editing_params(clone) as params:
        keep_only(params, ["boston_linear"])
        source = download_boston(params)
    done = run(
        "pipeline/python", "pipeline/fetch.py", "boston", "data/raw/boston",
        check=False, MODELYARD_MIRROR=str(tmp_path / "mirror"),
    )  # fmt: skip
    assert done.returncode == 1
    found = sha256(b"not what it was").hexdigest()
    assert f"{folder}/boston_housing.csv: wrong content: its SHA256 is {found}" in done.stderr
    assert source["sha256"] in done.stderr
    assert "Traceback" not in done.stderr
    assert list((clone / "data" / "raw" / "boston").iterdir()) == []


def own_table(clone: Path, content: str) -> dict:
    """Write a table into the clone; returns the entry of a data set of it."""
    (clone / "mine.csv").write_text(content)
    files = {"mine.csv": {"path": "mine.csv", "sha256": sha256(content.encode()).hexdigest()}}
    return {"reader": "table", "task": "regression", "description": "Mine.", "target": "target", "files": files}


OWN_INPUT = {"dataset": "mine", "split": {"test": 0.3, "test_seed": 1}, "scaling": "none"}


def test_an_edit_of_ones_own_table_is_noticed_and_taken_once_its_checksum_is_written(clone, run):
    with editing_params(clone) as params:
        params["datasets"]["mine"] = own_table(clone, "a,target\n" + "".join(f"{n},{2 * n}\n" for n in range(20)))
        params["inputs"]["mine"] = OWN_INPUT
        add_linear("mine_linear", "mine", params)
        keep_only(params, ["mine_linear"])
    run("modelyard", "run")
    before = lock(clone)
    table = clone / "mine.csv"
    table.write_text(table.read_text() + "20,45\n")
    now = sha256(table.read_bytes()).hexdigest()

    # --- noticed, also where only the plan is asked for
    for command in (["run"], ["run", "--dry-run"]):
        done = run("modelyard", *command, check=False)
        assert done.returncode == 1
        assert "nothing was run" in done.stderr
        assert "datasets.mine.files.mine.csv: mine.csv is not the file that params.yaml means" in done.stderr
        assert f"write sha256: {now} there;" in done.stderr
        assert "network" not in done.stderr
    assert lock(clone) == before

    # --- the new checksum is accepted
    with editing_params(clone) as params:
        params["datasets"]["mine"]["files"]["mine.csv"]["sha256"] = now
    run("modelyard", "run")
    assert (clone / "data" / "raw" / "mine" / "mine.csv").read_bytes() == table.read_bytes()
    assert lock(clone)["stages"]["evaluate@mine_linear"] != before["stages"]["evaluate@mine_linear"]


def test_a_table_with_a_hole_is_fetched_and_then_refused_with_the_place_of_the_hole(clone, run):
    with editing_params(clone) as params:
        params["datasets"]["mine"] = own_table(clone, "a,b,target\n1,2,3\n4,,6\n7,8,9\n")
        params["inputs"]["mine"] = OWN_INPUT
    run("pipeline/python", "pipeline/fetch.py", "mine", "data/raw/mine")
    out = [f"data/inputs/mine/{name}" for name in ("training", "test", "data.json")]
    done = run("pipeline/python", "pipeline/normalise.py", "mine", "data/raw/mine", *out, check=False)
    assert done.returncode == 1
    assert "'b' in 1 (row 2 below the header is the first)" in done.stderr
    assert "imputation: {b: median}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone / "data" / "inputs").exists()


def test_a_folder_of_images_is_added_trained_on_and_predicted_without_an_edit(clone, run):
    folder = make_folder(clone / "photos", 20, (12, 10), "RGB")
    with editing_params(clone) as params:
        add_linear("digits_linear", "digits", params)
        keep_only(params, ["digits_linear"])
        params["studies"] = {}
    run("modelyard", "data", "show", "photos", "--size", "8x8", "--add", "shades")
    with editing_params(clone) as params:
        params["experiments"]["shades_cnn"]["training"] |= {"epochs": 200, "early_stopping": None}
    run("modelyard", "run", "shades_baseline", "shades_cnn")
    assert read_json(clone / "results" / "shades_cnn" / "metrics.json")["accuracy"] == 1.0
    assert read_json(clone / "results" / "shades_cnn" / "model" / "input.json")["image_format"]["fit"] == "letterbox"
    predicted = run("modelyard", "predict", "shades_cnn", "photos/dark/000.png", "photos/bright/001.png", "-o", "p.csv")
    assert list(pd.read_csv(clone / "p.csv")["class"]) == ["dark", "bright"]
    assert "size from" not in predicted.stderr

    # --- a new file that is no image stops the next run, and is named
    before = lock(clone)
    (folder / "dark" / "notes.txt").write_text("text")
    assert "photos is not the folder that params.yaml means" in run("modelyard", "run", check=False).stderr
    refused = run("modelyard", "data", "update", "shades", check=False)
    assert refused.returncode == 1
    assert "dark/notes.txt: not an image" in refused.stderr
    assert lock(clone) == before


def test_training_on_seventy_thousand_images_takes_a_bounded_amount_of_memory(clone, environment):
    random = np.random.default_rng(0)
    for name in IDX:
        rows = 60_000 if name.startswith("train") else 10_000
        values = random.integers(0, 256, (rows, 28, 28)) if "images" in name else random.integers(0, 10, rows)
        write_idx(clone / "data" / "raw" / "mnist" / name, values.astype(np.uint8))
    with editing_params(clone) as params:
        params["experiments"]["mnist_mlp"]["training"] |= {"epochs": 1, "batch_size": 500}
    data = [f"data/inputs/mnist_shuffled/{name}" for name in ("training", "test", "data.json")]
    normalise = ["pipeline/normalise.py", "mnist_shuffled", "data/raw/mnist", *data]
    train = ["pipeline/train.py", "mnist_mlp", data[0], "results/mnist_mlp/model", "results/mnist_mlp/history.csv"]
    for script in (normalise, train):
        assert peak_gigabytes(["pipeline/python", *script], clone, environment) < BOUND_GIGABYTES
    assert (clone / "results" / "mnist_mlp" / "model" / "model.keras").exists()


def peak_gigabytes(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """The most memory that a command held at any time."""
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_maxrss / 2**20  # kibibytes on Linux
