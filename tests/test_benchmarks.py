"""The benchmarks: measured resources, stored results, and equal training on both sides. No test depends on a time."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import comparison, goals, machine, overhead, overview_plot, processes, project_clone, records, report
from benchmarks.parts import PARTS, nothing
from benchmarks.parts.notebooks import by_experiment
from benchmarks.processes import Usage, run_measured
from benchmarks.sizes import NOTEBOOKS, QUICK, Size
from modelyard.core.errors import ModelyardError
from modelyard.params import load, load_claims, load_published

SCRIPTS = Path(project_clone.ROOT) / "benchmarks" / "notebooks"
MEGABYTES = 300
CPU_SECONDS = 1.5

ALLOCATING = f"""
import os, time
if os.fork() == 0:
    data = b"x" * ({MEGABYTES} * 2**20)
    time.sleep(1.5)
else:
    os.wait()
"""
# The parent does not wait for the child, so that rusage lacks the child's CPU time.
NOT_WAITING = f"""
import os, select, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = os.fork()
if child == 0:
    while time.process_time() < {CPU_SECONDS}: pass
else:
    select.select([os.pidfd_open(child)], [], [])
"""


@pytest.fixture(scope="module")
def params() -> dict:
    return YAML(typ="safe").load(project_clone.ROOT / "params.yaml")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Usage]:
    """Measures a Python program."""
    return lambda code: run_measured(
        [sys.executable, "-c", code], tmp_path, project_clone.command_environment(), tmp_path / "output.log"
    )


# --- resources of a command ---


def test_memory_of_a_child_process_counts(run):
    usage = run(ALLOCATING)
    assert MEGABYTES <= usage.peak_megabytes < 4 * MEGABYTES
    assert usage.largest_process_megabytes >= MEGABYTES


def test_memory_shared_by_two_processes_counts_once(run):
    shared = ALLOCATING.replace("if os.fork() == 0:\n    data", "data").replace(
        "    time", "if os.fork() == 0:\n    time"
    )
    assert MEGABYTES <= run(shared).peak_megabytes < 1.5 * MEGABYTES


def test_cpu_time_of_a_child_without_a_waiting_parent_counts(run):
    assert run(NOT_WAITING).cpu_seconds > CPU_SECONDS / 3


def test_the_busy_cores_of_the_machine_are_sampled(run, monkeypatch):
    monkeypatch.setattr(processes, "BUSY_SECONDS", 0.25)
    computing = run(f"import time\nwhile time.process_time() < {CPU_SECONDS}: pass")
    assert 0 < max(computing.busy_cores) <= os.cpu_count()


def test_a_command_shorter_than_an_interval_has_no_sample(run):
    assert run("pass").busy_cores == ()


def test_a_failing_command_raises_with_its_last_output(run):
    with pytest.raises(ModelyardError, match=r"(?s)ended with 3:.*the reason"):
        run("print('the reason'); raise SystemExit(3)")


# --- equal training on both sides ---


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_script_and_its_experiments_have_the_same_epochs(notebook, params):
    script = (SCRIPTS / f"{notebook}.py").read_text(encoding="utf-8")
    experiments = [params["experiments"][name] for name in NOTEBOOKS[notebook]]
    assert [name for name in NOTEBOOKS[notebook] if f'"{name}"' not in script] == []
    epochs = {int(count) for count in re.findall(r"notebook_support\.epochs\((\d+)\)", script)}
    assert epochs == {experiment["training"]["epochs"] for experiment in experiments}


@pytest.mark.parametrize("size", [Size(), QUICK], ids=["full", "quick"])
def test_an_experiment_alone_has_epochs_after_the_first(size, params):
    for notebook in size.alone:
        (experiment,) = NOTEBOOKS[notebook]
        assert round(params["experiments"][experiment]["training"]["epochs"] * size.alone_share) > 1


def test_every_notebook_has_a_script():
    assert {path.stem for path in SCRIPTS.glob("[0-9]*.py")} == set(NOTEBOOKS)


@pytest.mark.slow
def test_a_notebook_script_logs_fit_and_metric_of_each_experiment(tmp_path):
    """Notebook 001 needs no raw files; it runs a fortieth of the epochs."""
    log = tmp_path / "benchmark.jsonl"
    environment = project_clone.command_environment() | {"BENCHMARK_LOG": str(log), "BENCHMARK_EPOCHS_SHARE": "0.025"}
    command = [sys.executable, str(SCRIPTS / "001_networks.py"), str(tmp_path)]
    run_measured(command, tmp_path, environment, tmp_path / "output.log")
    experiments = by_experiment(project_clone.read_json_lines(log), NOTEBOOKS["001_networks"])
    assert all(0 <= each["value"] <= 1 and each["fit_seconds"] > 0 for each in experiments.values())
    assert [each["epochs"] for each in experiments.values()] == [10, 10, 1, 1]
    fits = [line for line in project_clone.read_json_lines(log) if "epoch_seconds" in line]
    assert [len(fit["epoch_seconds"]) for fit in fits] == [10, 10, 1, 1]
    assert all(sum(fit["epoch_seconds"]) <= fit["fit_seconds"] and fit["fit_cpu_seconds"] > 0 for fit in fits)


def test_the_clone_has_a_fit_timer_no_results_and_valid_settings():
    def change(params: dict) -> None:
        project_clone.keep_only(params, ["xor_mlp"])

    with project_clone.clone_project(change) as clone:
        assert "import fit_timer" in (clone.root / "pipeline" / "train.py").read_text()
        assert not (clone.root / "dvc.lock").exists()
        assert not (clone.root / "results").exists()
        project = load(clone.root / "params.yaml")
        assert list(project.inputs) == list(project.datasets) == ["xor"]
        assert list(load_published(project, clone.root / "published.yaml")) == ["xor_mlp"]
        assert load_claims(project, clone.root / "claims.yaml") == {}
        assert project_clone.git("status", "--porcelain", folder=clone.root) == ""
    assert not clone.root.exists()


# --- stored results ---


@pytest.fixture
def fixed_commit(monkeypatch):
    monkeypatch.setattr(machine, "commit", lambda: "abc")


@pytest.fixture
def record(tmp_path, fixed_commit) -> Callable[..., records.Record]:
    return lambda size=QUICK, again=False: records.Record(tmp_path / "part.json", size, again)


def test_a_part_continues_with_its_stored_results(record):
    record().add("first", 1.5)
    assert record().found == {"first": 1.5}
    assert not record().is_complete
    record().finish()
    assert record().is_complete


@pytest.mark.parametrize("what", ["commit", "size", "request"])
def test_a_part_starts_again_for_another_commit_another_size_or_on_request(record, monkeypatch, what):
    record().add("first", 1.5)
    if what == "commit":
        monkeypatch.setattr(machine, "commit", lambda: "def")
    other = {"size": replace(QUICK, rows=QUICK.rows + 1)} if what == "size" else {"again": what == "request"}
    assert record(**other).found == {}


def test_a_copied_experiment_is_renamed_everywhere():
    stage = {"cmd": "train.py xor_mlp results/xor_mlp/model", "deps": [{"path": "data/inputs/xor/training"}]}
    expected = {"cmd": "train.py xor_mlp_2 results/xor_mlp_2/model", "deps": [{"path": "data/inputs/xor/training"}]}
    assert nothing.renamed(stage, "xor_mlp_2") == expected


def test_the_whole_project_keeps_its_experiments_with_short_trainings():
    with project_clone.clone_project(nothing.shorten) as clone:
        project, whole = load(clone.root / "params.yaml"), load(project_clone.ROOT / "params.yaml")
        assert project.experiments.keys() == whole.experiments.keys()
        assert project.transfers.keys() == whole.transfers.keys()
        assert {getattr(each.training, "epochs", 1) for each in project.all_experiments.values()} == {1}
        splits = [each.split for each in project.inputs.values()]
        assert max(split.first for split in splits if split.test == "predefined") == nothing.SHORT_ROWS


# --- report ---

NOTHING = {
    name: {"stages": stages}
    | {
        f"{command}: {resource}": [seconds, seconds, 9.0]
        for command, seconds in zip(nothing.COMMANDS, times, strict=True)
        for resource in ("wall_seconds", "cpu_seconds")
    }
    for name, stages, times in (("20", 43, (1.0, 2.0)), ("200", 403, (4.6, 20.0)), ("all", 140, (2.0, 8.0)))
}

REBUILD = {
    "wall_seconds": 60.0,
    "cpu_seconds": 100.0,
    "peak_megabytes": 500.0,
    "experiments": {
        "fashion_cnn": {
            "metrics": {"accuracy": 0.85},
            "intervals": {"accuracy": [0.84, 0.86]},
            "fit_seconds": 50.0,
            "fit_cpu_seconds": 55.0,
            "epochs": 15,
        },
        "xor_mlp": {
            "metrics": {"accuracy": 1.0},
            "intervals": {"accuracy": [1.0, 1.0]},
            "fit_seconds": 30.0,
            "fit_cpu_seconds": 25.0,
            "epochs": 400,
        },
    },
    "busy_cores": [1.0, 2.0, 2.0, 1.5],
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
ALONE = {
    "fashion_cnn": {
        "notebook": [[30.0, 10.0, 12.0], [40.0, 11.0, 9.0]],
        "modelyard run": [[20.0, 8.0, 8.5], [20.0, 7.5, 8.0]],
        "locks_are_equal": True,
        "lock_is_equal_on_one_core": False,
    }
}


@pytest.fixture
def parts(tmp_path, fixed_commit) -> dict:
    """Results of three parts, as read from their files."""
    for name, results in (("notebooks", NOTEBOOK), ("rebuild", {"all": REBUILD}), ("alone", ALONE)):
        record = records.Record(tmp_path / f"{name}.json", Size())
        for key, value in results.items():
            record.add(key, value)
        record.finish()
    return records.read(tmp_path)


def test_the_report_has_the_ratio_of_runs_without_work_and_the_cost_of_one_more_stage(parts, tmp_path):
    record = records.Record(tmp_path / "nothing.json", Size())
    for key, value in NOTHING.items():
        record.add(key, value)
    report.write(records.read(tmp_path), tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "| all experiments | 140 | cpu | 2.00 (2.00 to 9.00) | 8.00 (8.00 to 9.00) | 0.25 |" in page
    assert "| from 43 to 403 stages | 10.0 | 50.0 |" in page
    overview_plot.draw(records.read(tmp_path), tmp_path / "overview.png")


def test_overhead_is_the_time_of_the_cores_relative_to_the_cpu_time_of_the_fits():
    assert overhead.overhead(REBUILD, cores=2).share == pytest.approx(60 * 2 / 80 - 1)
    assert overhead.seconds_by_kind(REBUILD) == {"fit": 80.0, "train without fit": 7.0, "evaluate": 2.0}


def test_the_report_has_ratios_and_marks_values_inside_the_interval(parts, tmp_path):
    report.write(parts, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "| wall time, s | 120 | 60 | 0.50 |" in page
    assert "| peak memory, MiB | 1000 | 500 | 0.50 |" in page
    assert "| `fashion_cnn` | accuracy 0.8700 | 70.0 (15 epochs) | 0.8500 (0.8400 to 0.8600), outside |" in page
    assert "| `xor_mlp` | accuracy 1.0000 | 35.0 (400 epochs) | 1.0000 (1.0000 to 1.0000), inside |" in page
    assert "rebuild,all/experiments/fashion_cnn/intervals/accuracy/1,0.86" in (tmp_path / "results.csv").read_text()


def test_the_first_epoch_of_each_round_is_left_out(parts, tmp_path):
    report.write(parts, tmp_path)
    row = "| `fashion_cnn` | 2 | 10.50 (9.00 to 12.00) | 8.00 (7.50 to 8.50) | 0.76 | yes | NO |"
    assert row in (tmp_path / "README.md").read_text()


def test_the_report_says_which_goals_are_reached(parts, tmp_path):
    report.write(parts, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert f"| `fashion_cnn` alone: seconds per epoch / notebook | {goals.ALONE:.2f} | 0.762 | yes |" in page
    assert "| rebuild in float32: peak memory / notebooks | 0.33 | 0.500 | no |" in page


def test_results_without_busy_cores_have_no_overhead(parts, tmp_path):
    del parts["rebuild"]["found"]["all"]["busy_cores"]
    report.write(parts, tmp_path)
    assert "overhead relative" not in (tmp_path / "README.md").read_text()


def test_results_with_different_epochs_are_not_compared(parts, tmp_path):
    assert list(comparison.comparable(parts)) == ["float32"]
    parts["rebuild"]["size"]["epochs_share"] = 0.5
    assert comparison.comparable(parts) == {}
    report.write(parts, tmp_path)
    assert "Rebuild and notebooks" not in (tmp_path / "README.md").read_text()


def test_the_overview_is_drawn_with_and_without_results(parts, tmp_path):
    for number, shown in enumerate(({}, parts)):
        overview_plot.draw(shown, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 0


def test_an_unknown_part_is_refused_with_the_allowed_ones():
    command = [sys.executable, "-m", "benchmarks", "everything"]
    done = subprocess.run(command, cwd=project_clone.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"no such part: everything; allowed: {', '.join(PARTS)}." in done.stderr


@pytest.mark.parametrize("script", sorted(path.stem for path in (Path(project_clone.ROOT) / "benchmarks").glob("*.py")))
def test_each_script_can_be_imported(script: str):
    importlib.import_module(f"benchmarks.{script}")
