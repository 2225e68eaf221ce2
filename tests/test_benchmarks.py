"""The benchmarks: what they count and keep, and that both sides of a comparison train alike. No clock is asked."""

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import machine, overhead, picture, playground, records, report
from benchmarks.parts import PARTS, nothing
from benchmarks.parts.notebooks import by_experiment
from benchmarks.processes import Usage, measured
from benchmarks.sizes import NOTEBOOKS, QUICK, Size
from modelyard.core.errors import ModelyardError

SCRIPTS = Path(playground.ROOT) / "benchmarks" / "notebooks"
HELD = 300  # megabytes
WORKED = 1.5  # seconds of CPU

HOLDING = f"""
import os, time
if os.fork() == 0:
    held = b"x" * ({HELD} * 2**20)
    time.sleep(1.5)
else:
    os.wait()
"""
# The child's CPU time is lost to the kernel, for its parent does not wait for it.
FORGETTING = f"""
import os, select, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = os.fork()
if child == 0:
    while time.process_time() < {WORKED}: pass
else:
    select.select([os.pidfd_open(child)], [], [])
"""


@pytest.fixture(scope="module")
def params() -> dict:
    return YAML(typ="safe").load(playground.ROOT / "params.yaml")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Usage]:
    """Runs a program and measures it."""
    return lambda code: measured(
        [sys.executable, "-c", code], tmp_path, playground.surroundings(), tmp_path / "said.log"
    )


# --- what a command takes ---


def test_memory_of_a_process_that_the_command_started_counts(run):
    usage = run(HOLDING)
    assert HELD <= usage.peak_megabytes < 4 * HELD
    assert usage.largest_process_megabytes >= HELD


def test_memory_that_two_processes_share_counts_once(run):
    shared = HOLDING.replace("if os.fork() == 0:\n    held", "held").replace("    time", "if os.fork() == 0:\n    time")
    assert HELD <= run(shared).peak_megabytes < 1.5 * HELD


def test_work_of_a_process_that_no_one_waited_for_counts(run):
    assert run(FORGETTING).cpu_seconds > WORKED / 3


def test_a_command_that_fails_is_told_with_its_last_words(run):
    with pytest.raises(ModelyardError, match=r"(?s)ended with 3:.*the reason"):
        run("print('the reason'); raise SystemExit(3)")


# --- both sides train alike ---


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_trains_each_of_its_experiments_as_long_as_the_rebuild_does(notebook, params):
    script = (SCRIPTS / f"{notebook}.py").read_text(encoding="utf-8")
    experiments = [params["experiments"][name] for name in NOTEBOOKS[notebook]]
    assert [name for name in NOTEBOOKS[notebook] if f'"{name}"' not in script] == []
    told = {int(epochs) for epochs in re.findall(r"given\.epochs\((\d+)\)", script)}
    assert told == {experiment["training"]["epochs"] for experiment in experiments}


def test_every_notebook_has_its_script():
    assert {path.stem for path in SCRIPTS.glob("[0-9]*.py")} == set(NOTEBOOKS)


def test_a_notebook_runs_and_tells_the_figure_and_the_fit_of_each_experiment(tmp_path):
    """That of XOR and digits, which needs no file; one epoch in forty."""
    notes = tmp_path / "notes.jsonl"
    environment = playground.surroundings() | {"BENCHMARK_NOTES": str(notes), "BENCHMARK_EPOCHS_SHARE": "0.025"}
    command = [sys.executable, str(SCRIPTS / "001_networks.py"), str(tmp_path)]
    measured(command, tmp_path, environment, tmp_path / "said.log")
    told = by_experiment(playground.notes(notes), NOTEBOOKS["001_networks"])
    assert all(0 <= each["value"] <= 1 and each["fit_seconds"] > 0 for each in told.values())
    assert [each["epochs"] for each in told.values()] == [10, 10, 1, 1]


def test_the_clone_that_is_measured_times_its_fits_and_has_nothing_built(params):
    def change(params: dict) -> None:
        playground.only(params, ["xor_mlp"])

    with playground.playground(change) as place:
        assert "import stopwatch" in (place.root / "pipeline" / "train.py").read_text()
        assert not (place.root / "dvc.lock").exists()
        assert not (place.root / "results").exists()
        left = YAML(typ="safe").load(place.root / "params.yaml")
        assert list(left["inputs"]) == list(left["datasets"]) == ["xor"]
        assert playground.git("status", "--porcelain", folder=place.root) == ""
    assert not place.root.exists()


# --- what is kept ---


@pytest.fixture
def record(tmp_path, monkeypatch) -> Callable[..., records.Record]:
    monkeypatch.setattr(machine, "commit", lambda: "abc")
    return lambda size=QUICK, again=False: records.Record(tmp_path / "part.json", size, again)


def test_a_part_goes_on_where_it_was(record):
    record().add("first", 1.5)
    assert record().found == {"first": 1.5}
    assert not record().is_complete
    record().finish()
    assert record().is_complete


@pytest.mark.parametrize("what", ["commit", "size", "wish"])
def test_a_part_begins_anew_for_another_commit_another_size_or_on_demand(record, monkeypatch, what):
    record().add("first", 1.5)
    if what == "commit":
        monkeypatch.setattr(machine, "commit", lambda: "def")
    other = {"size": replace(QUICK, rows=QUICK.rows + 1)} if what == "size" else {"again": what == "wish"}
    assert record(**other).found == {}


def test_a_copy_of_an_experiment_is_named_everywhere():
    said = {"cmd": "train.py xor_mlp results/xor_mlp/model", "deps": [{"path": "data/inputs/xor/training"}]}
    expected = {"cmd": "train.py xor_mlp_2 results/xor_mlp_2/model", "deps": [{"path": "data/inputs/xor/training"}]}
    assert nothing.named(said, "xor_mlp_2") == expected


# --- what is told ---

REBUILD = {
    "wall_seconds": 60.0,
    "cpu_seconds": 100.0,
    "peak_megabytes": 500.0,
    "experiments": {
        "fashion_cnn": {
            "metrics": {"accuracy": 0.85},
            "intervals": {"accuracy": [0.84, 0.86]},
            "fit_seconds": 50.0,
            "epochs": 15,
        },
        "xor_mlp": {
            "metrics": {"accuracy": 1.0},
            "intervals": {"accuracy": [1.0, 1.0]},
            "fit_seconds": 30.0,
            "epochs": 400,
        },
    },
    "stages": {"fetch@xor": 3.0, "train@fashion_cnn": 55.0, "train@xor_mlp": 32.0, "evaluate@xor_mlp": 2.0},
}
NOTEBOOK = {
    "000": {
        "wall_seconds": 80.0,
        "cpu_seconds": 150.0,
        "peak_megabytes": 900.0,
        "experiments": {"fashion_cnn": {"metric": "accuracy", "value": 0.87, "fit_seconds": 70.0, "epochs": 15}},
    },
    "001": {
        "wall_seconds": 40.0,
        "cpu_seconds": 50.0,
        "peak_megabytes": 1000.0,
        "experiments": {"xor_mlp": {"metric": "accuracy", "value": 1.0, "fit_seconds": 35.0, "epochs": 400}},
    },
}


@pytest.fixture
def parts(tmp_path, record) -> dict:
    """What two parts found, as it is read again."""
    for name, found in (("notebooks", NOTEBOOK), ("rebuild", {"all": REBUILD})):
        made = records.Record(tmp_path / f"{name}.json", Size())
        for key, value in found.items():
            made.add(key, value)
        made.finish()
    return records.read(tmp_path)


def test_overhead_is_what_a_rebuild_takes_beyond_its_fits():
    found = overhead.overhead(REBUILD, cores=2)
    assert found.over_shared == pytest.approx(60 / 40 - 1)
    assert found.over_floor == pytest.approx(60 / 50 - 1)  # the longest fit is not divided
    assert overhead.seconds_by_kind(REBUILD) == {"fit": 80.0, "the rest of train": 7.0, "evaluate": 2.0}


def test_the_report_tells_ratios_and_whether_accuracy_is_equal(parts, tmp_path):
    report.write(parts, tmp_path)
    said = (tmp_path / "README.md").read_text()
    assert "| wall time, s | 120 | 60 | 0.50 |" in said
    assert "| peak memory, MiB | 1000 | 500 | 0.50 |" in said
    assert "| `fashion_cnn` | accuracy 0.8700 | 70.0 (15 epochs) | 0.8500 (0.8400 to 0.8600), outside |" in said
    assert "| `xor_mlp` | accuracy 1.0000 | 35.0 (400 epochs) | 1.0000 (1.0000 to 1.0000), inside |" in said
    assert "rebuild,all/experiments/fashion_cnn/intervals/accuracy/1,0.86" in (tmp_path / "results.csv").read_text()


def test_what_was_measured_on_other_epochs_is_not_compared(parts, tmp_path):
    assert list(report.comparable(parts)) == ["float32"]
    parts["rebuild"]["size"]["epochs_share"] = 0.5
    assert report.comparable(parts) == {}
    report.write(parts, tmp_path)
    assert "ratio" not in (tmp_path / "README.md").read_text()


def test_a_picture_is_drawn_of_whatever_there_is(parts, tmp_path):
    for number, shown in enumerate(({}, parts)):
        picture.draw(shown, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 0


def test_an_unknown_part_is_answered_with_those_there_are():
    command = [sys.executable, "-m", "benchmarks", "everything"]
    done = subprocess.run(command, cwd=playground.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"no such part: everything; allowed: {', '.join(PARTS)}." in done.stderr


@pytest.mark.parametrize("script", sorted(path.stem for path in (Path(playground.ROOT) / "benchmarks").glob("*.py")))
def test_each_script_finds_all_that_it_imports(script: str):
    importlib.import_module(f"benchmarks.{script}")
