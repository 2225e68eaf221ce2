"""The scheduler on small DVC projects whose stages are one line of shell each."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML
from support.waiting import wait_until

from modelyard.orchestration import shared_data
from modelyard.orchestration.engine import Ended, Task
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.orchestration.scheduler import Pipeline, StageState

RUN = """
from pathlib import Path
from modelyard.orchestration.scheduler import Pipeline
Pipeline(Path.cwd()).run(2, lambda stages: None)
"""
BOUND = 100.0  # seconds; for a loaded machine, and less than the 120 that stages sleep

# Each stage waits for the other's file, so that both can only end when they run at the same time.
MEETING = """
stages:
  one: {cmd: "touch one.began; for i in $(seq 100); do [ -e two.began ] && echo met > one && exit; sleep 0.1; done; exit 1", outs: [one]}
  two: {cmd: "touch two.began; for i in $(seq 100); do [ -e one.began ] && echo met > two && exit; sleep 0.1; done; exit 1", outs: [two]}
"""  # noqa: E501

# two parts of a section, then what joins them; each stage leaves its name in the file `order`
FAMILY = """
stages:
  part:
    foreach: ${parts}
    do:
      cmd: echo part@${key} >> order; echo ${item.value} > ${key}.out
      params:
        - parts.${key}
      outs:
        - ${key}.out
  join:
    cmd: echo join >> order; cat a.out b.out > joined
    deps: [a.out, b.out]
    outs: [joined]
"""
PARTS = "parts: {a: {value: 1}, b: {value: 2}}\n"

FAILING = """
stages:
  last: {cmd: cat good middle > last, deps: [good, middle], outs: [last]}
  middle: {cmd: cat bad > middle, deps: [bad], outs: [middle]}
  bad: {cmd: "echo line 1; echo line 2; echo line 3; echo the reason >&2; exit 7", outs: [bad]}
  good: {cmd: sleep 1; echo good > good, outs: [good]}
"""

# While the file `slow` exists, the stage writes the ids of its own process and of a program it started, and waits.
SLEEPING = """
stages:
  done: {cmd: echo done > done.out, outs: [done.out]}
  sleeps: {cmd: "if [ -e slow ]; then echo $$ > outer.pid; INNER; fi; echo awake > out", deps: [done.out], outs: [out]}
"""
INNER = "sh -c 'echo $$ > inner.pid; exec sleep 120'"


class Beside(LocalEngine):
    """Has room for a task that stays on this machine beside the others, as a cluster has."""

    local_slots = 1


class Elsewhere(LocalEngine):
    """Is handed tasks as a cluster is whose workers have the same folder."""

    shares_files = False

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self.needs: dict[str, tuple[str, ...]] = {}
        self.keys: list[str] = []

    def submit(self, task: Task) -> None:
        self.keys.append(task.key)
        self.needs[task.key.partition(":")[0]] = task.needs
        super().submit(task)


class BackAt(Elsewhere):
    """Has the ends of tasks that an earlier process has handed out, by key."""

    def __init__(self, ends: Mapping[str, Ended]) -> None:
        super().__init__(1)
        self._ends = dict(ends)

    def taken(self) -> Collection[str]:
        return list(self._ends)

    def submit(self, task: Task) -> None:
        if end := self._ends.pop(task.key, None):
            self._not_started.append(end)
        else:
            super().submit(task)


def watch_nothing(stages: object) -> None:
    """For runs without a display."""


def run(
    root: Path, jobs: int = 2, targets: tuple[str, ...] | None = None, tolerant: tuple[str, ...] = ()
) -> dict[str, StageState]:
    """Run what is out of date, and return the state of each stage."""
    pipeline = Pipeline(root, targets)
    pipeline.find_unchanged()
    pipeline.run(jobs, watch_nothing, tolerant)
    return {name: stage.state for name, stage in pipeline.stages.items()}


def order(root: Path) -> list[str]:
    """The stages that really ran since the last look."""
    file = root / "order"
    names = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return names


def lock(root: Path) -> dict:
    return YAML(typ="safe").load(root / "dvc.lock")


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it ended before or while it was read
        return False


@pytest.fixture
def in_the_middle_of() -> Iterator[Callable[[Path], tuple[subprocess.Popen, list[int]]]]:
    """Starts the scheduler as a process of its own and waits until the sleeping stage has written its process ids."""
    started: list[tuple[subprocess.Popen, list[int]]] = []

    def start(root: Path) -> tuple[subprocess.Popen, list[int]]:
        (root / "slow").touch()
        process = subprocess.Popen([sys.executable, "-c", RUN], cwd=root, stderr=subprocess.DEVNULL)
        files = [root / "inner.pid", root / "outer.pid"]
        wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files), BOUND)
        started.append((process, [int(file.read_text()) for file in files]))
        return started[-1]

    yield start
    for process, pids in started:  # whatever a failed test leaves behind
        for pid in filter(is_alive, [process.pid, *pids]):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def test_dependencies_run_first(make_project):
    root = make_project(FAMILY, PARTS)
    assert run(root) == {"part@a": StageState.BUILT, "part@b": StageState.BUILT, "join": StageState.BUILT}
    assert sorted(order(root)[:2]) == ["part@a", "part@b"]
    assert (root / "joined").read_text() == "1\n2\n"


def test_a_target_runs_with_its_dependencies_and_nothing_else(make_project):
    root = make_project(FAMILY, PARTS)
    assert run(root, targets=("part@b",)) == {"part@b": StageState.BUILT}
    assert list(run(root, targets=("join",))) == ["part@a", "part@b", "join"]


def test_two_independent_stages_overlap(make_project):
    root = make_project(MEETING)
    assert set(run(root, jobs=2).values()) == {StageState.BUILT}
    assert (root / "one").read_text() == (root / "two").read_text() == "met\n"


def test_a_stage_that_stays_on_this_machine_takes_no_room_of_the_others(make_project):
    pipeline = Pipeline(make_project(MEETING))
    with closing(Beside(2)) as engine:
        pipeline.run(1, watch_nothing, engine=engine, stays=lambda stage: stage.name == "one")
    assert {stage.state for stage in pipeline.stages.values()} == {StageState.BUILT}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only")
def test_stages_at_once_have_cores_of_their_own_until_one_ends_and_the_other_has_all(make_project):
    cores = "grep Cpus_allowed_list /proc/self/status"
    await_file = "for i in $(seq 100); do [ -s {} ] && break; sleep 0.1; done"
    both_run = f"echo . > {{}}.began; {await_file}; sleep 0.3"
    root = make_project(
        f"""
        stages:
          one:
            cmd: '{both_run.format("one", "two.began")}; {cores} > one; {await_file.format("two")}'
            outs: [one]
          two:
            cmd: >-
              {both_run.format("two", "one.began")}; {cores} > two; {await_file.format("one")};
              for i in $(seq 100); do {cores} > later; cmp -s two later || break; sleep 0.1; done
            outs: [two, later]
        """
    )
    run(root, jobs=2)
    at_once = {(root / "one").read_text(), (root / "two").read_text()}
    assert len(at_once) == 2
    all_cores = next(line for line in Path("/proc/self/status").read_text().splitlines() if "Cpus_allowed_list" in line)
    assert (root / "later").read_text() == f"{all_cores}\n"
    assert (root / "later").read_text() not in at_once


def test_one_job_never_overlaps(make_project):
    root = make_project(FAMILY, PARTS)
    pipeline, at_once = Pipeline(root), []
    pipeline.run(1, lambda stages: at_once.append(sum(stage.state is StageState.RUNNING for stage in stages.values())))
    assert max(at_once) == 1


def test_the_lock_is_that_of_a_sequential_dvc_repro(make_project):
    root = make_project(FAMILY, PARTS)
    other = shutil.copytree(root, root.parent / "sequential")
    run(root)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=other, check=True)
    assert lock(root) == lock(other)


def test_what_is_unchanged_is_found_without_running_anything(make_project):
    root = make_project(FAMILY, PARTS)
    run(root)
    (root / "params.yaml").write_text(PARTS.replace("2", "3"))
    pipeline = Pipeline(root)
    pipeline.find_unchanged()
    states = {name: stage.state for name, stage in pipeline.stages.items()}
    assert states == {"part@a": StageState.UNCHANGED, "part@b": StageState.WAITING, "join": StageState.WAITING}


def test_a_second_run_leaves_all_unchanged(make_project):
    root = make_project(FAMILY, PARTS)
    run(root)
    order(root)
    assert set(run(root).values()) == {StageState.UNCHANGED}
    assert order(root) == []


def test_a_changed_parameter_runs_only_what_depends_on_it(make_project):
    root = make_project(FAMILY, PARTS)
    run(root)
    order(root)
    (root / "params.yaml").write_text(PARTS.replace("2", "3"))
    assert run(root) == {"part@a": StageState.UNCHANGED, "part@b": StageState.BUILT, "join": StageState.BUILT}
    assert order(root) == ["part@b", "join"]


def test_a_stage_whose_inputs_came_out_the_same_is_unchanged(make_project):
    root = make_project(FAMILY.replace("${item.value} >", "${item.value} | head -c 1 >"), PARTS)
    run(root)
    (root / "params.yaml").write_text(PARTS.replace("2", "22"))
    assert run(root) == {"part@a": StageState.UNCHANGED, "part@b": StageState.BUILT, "join": StageState.UNCHANGED}


def test_a_failing_stage_stops_only_what_depends_on_it(make_project):
    root = make_project(FAILING)
    pipeline = Pipeline(root)
    pipeline.run(2, watch_nothing)
    states = {name: stage.state for name, stage in pipeline.stages.items()}
    assert states == {
        "bad": StageState.FAILED,
        "middle": StageState.SKIPPED,
        "good": StageState.BUILT,
        "last": StageState.SKIPPED,
    }
    assert pipeline.stages["middle"].reason == "needs bad: failed"
    assert pipeline.stages["last"].reason == "needs middle: skipped"
    lines = pipeline.stages["bad"].last_lines(3)
    assert lines[:2] == ["line 3", "the reason"] or lines[1:] == ["line 3", "the reason"]


def test_a_progress_bar_is_one_line_of_the_log(make_project):
    root = make_project(
        "stages:\n  bar:\n    cmd: printf 'begun\\n 10 percent\\r100 percent\\n' && touch out\n    outs: [out]\n"
    )
    pipeline = Pipeline(root)
    pipeline.run(1, watch_nothing)
    lines = pipeline.stages["bar"].last_lines(9)
    assert [line for line in lines if "percent" in line] == ["100 percent"]


def test_a_skipped_stage_skips_those_that_need_it(make_project):
    root = make_project(FAMILY, PARTS)
    pipeline = Pipeline(root)
    pipeline.skip({"part@b": "no network", "no@such": "unknown stage"})
    waiting = [stage.name for stage in pipeline.stages.values() if stage.state is StageState.WAITING]
    assert waiting == ["part@a"]  # known before anything runs
    pipeline.run(2, watch_nothing)
    assert pipeline.stages["part@b"].reason == "no network"
    assert pipeline.stages["join"].reason == "needs part@b: skipped"
    assert order(root) == ["part@a"]


def test_a_tolerant_stage_runs_also_after_failed_dependencies(make_project):
    every = "cmd: ls found > all\n    deps: [found]\n    outs: [all]\n"
    bad, good = "cmd: exit 1\n    outs: [found/bad]\n", "cmd: sleep 0.5; touch found/good\n    outs: [found/good]\n"
    root = make_project(f"stages:\n  every:\n    {every}  bad:\n    {bad}  good:\n    {good}")
    (root / "found").mkdir()
    pipeline = Pipeline(root)
    pipeline.skip({"bad": "out of reach"}, tolerant=["every"])
    assert pipeline.stages["every"].state is StageState.WAITING
    states = run(root, tolerant=("every",))
    assert states == {"bad": StageState.FAILED, "good": StageState.BUILT, "every": StageState.BUILT}
    assert (root / "all").read_text() == "good\n"


def test_a_tolerant_stage_is_skipped_where_failed_stages_left_nothing_to_depend_on(make_project):
    every, bad = "{cmd: ls found > all, deps: [found], outs: [all]}", "{cmd: exit 1, outs: [found/bad]}"
    root = make_project(f"stages:\n  every: {every}\n  bad: {bad}\n")
    assert run(root, tolerant=("every",)) == {"bad": StageState.FAILED, "every": StageState.SKIPPED}


def test_a_tolerant_stage_that_must_wait_is_skipped_when_another_process_has_removed_what_it_needs(make_project):
    root = make_project("stages: {bad: {cmd: exit 1, outs: [bad]}, every: {cmd: ls > all, deps: [bad], outs: [all]}}")
    (root / "bad").touch()
    pipeline = Pipeline(root)
    pipeline.skip({"bad": "out of reach"}, tolerant=["every"])
    holder = {"pid": os.getppid(), "cmd": "dvc repro"}
    (root / ".dvc/tmp").mkdir(exist_ok=True)
    (root / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(root / "all"): holder}}))

    def watch(stages: object) -> None:
        if pipeline.stages["every"].reason:
            (root / "bad").unlink(missing_ok=True)

    pipeline.run(1, watch, tolerant=["every"])
    assert pipeline.stages["every"].state is StageState.SKIPPED


def test_the_longest_remaining_path_goes_first_once_times_are_known(make_project):
    root = make_project(
        FAMILY.replace("@${key} >> order;", "@${key} >> order; sleep ${item.value};"),
        "parts: {a: {value: 0}, b: {value: 2}}\n",
    )
    run(root, jobs=1)
    assert order(root) == ["part@a", "part@b", "join"]
    for name in ("a.out", "b.out"):
        (root / name).unlink()
    shutil.rmtree(root / ".dvc" / "cache")
    run(root, jobs=1, targets=("part@a", "part@b"))
    assert order(root) == ["part@b", "part@a"]


def test_the_longest_goes_first_by_typical_times_where_nothing_was_built_yet(make_project):
    root = make_project(FAMILY, PARTS)
    (root / "usual.json").write_text('{"part@a": 1.5, "part@b": 60, "part@gone": 5}')
    Pipeline(root, typical_times=root / "usual.json").run(1, watch_nothing)
    assert order(root) == ["part@b", "part@a", "join"]


def test_an_interrupt_stops_every_process_and_the_next_run_continues(make_project, in_the_middle_of):
    root = make_project(SLEEPING.replace("INNER", INNER))
    process, pids = in_the_middle_of(root)
    assert all(map(is_alive, pids))
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) != 0
    wait_until(lambda: not any(map(is_alive, pids)), BOUND)
    assert not (root / "out").exists()
    (root / "slow").unlink()
    assert run(root) == {"done": StageState.UNCHANGED, "sleeps": StageState.BUILT}


def test_a_killed_run_takes_its_stages_along_and_the_next_one_completes(make_project, in_the_middle_of):
    root = make_project(SLEEPING.replace("INNER", INNER))
    process, pids = in_the_middle_of(root)
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_alive, pids)), BOUND)
    (root / "slow").unlink()
    assert run(root) == {"done": StageState.UNCHANGED, "sleeps": StageState.BUILT}


def test_a_killed_run_takes_along_stages_that_were_started_one_after_the_other(make_project):
    stage = "{{cmd: 'echo $$ > {0}.pid; exec sleep 120; touch {0}', outs: [{0}]}}"
    root = make_project("stages:\n" + "".join(f"  {name}: {stage.format(name)}\n" for name in "ab"))
    process = subprocess.Popen([sys.executable, "-c", RUN], cwd=root, stderr=subprocess.DEVNULL)
    files = [root / f"{name}.pid" for name in "ab"]
    wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files), BOUND)
    pids = [int(file.read_text()) for file in files]
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_alive, pids)), BOUND)


def test_an_interrupt_while_a_stage_is_being_started_stops_it_too(make_project, monkeypatch):
    root = make_project("stages:\n  sleeps: {cmd: sleep 120; touch out, outs: [out]}\n")
    start = Pipeline._start

    def interrupted(*arguments: object) -> object:
        process = start(*arguments)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    monkeypatch.setattr(Pipeline, "_start", interrupted)
    pipeline = Pipeline(root)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(1, watch_nothing)
    assert pipeline.stages["sleeps"].state is StageState.STOPPED
    assert multiprocessing.active_children() == []


def test_locks_of_a_killed_process_are_dropped_without_a_warning(make_project, caplog):
    root = make_project("stages:\n  speaks: {cmd: echo said; echo made > out, outs: [out]}\n")
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = {"write": {str(root / "out"): {"pid": dead.pid, "cmd": "repro"}}, "read": {}}
    lock_file = root / ".dvc" / "tmp" / "rwlock"
    lock_file.parent.mkdir(exist_ok=True)
    pipeline = Pipeline(root)
    lock_file.write_text(json.dumps(left))
    pipeline.find_unchanged()
    lock_file.write_text(json.dumps(left))
    pipeline.run(1, watch_nothing)
    assert pipeline.stages["speaks"].state is StageState.BUILT
    assert pipeline.stages["speaks"].last_lines(9) == ["said"]
    assert "RWLock" not in caplog.text


def test_an_interrupt_stops_what_a_stage_left_in_the_background(make_project, in_the_middle_of):
    """A shell's background programs ignore SIGINT; they outlive the stage unless its process group is killed."""
    root = make_project(SLEEPING.replace("INNER", f"{INNER} & wait"))
    process, pids = in_the_middle_of(root)
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) != 0
    wait_until(lambda: not any(map(is_alive, pids)), BOUND)


@pytest.mark.parametrize("interrupts", [1, 2], ids=["one interrupt", "a second interrupt"])
def test_a_stage_that_ignores_an_interrupt_is_killed_and_the_next_run_goes_on(
    make_project, in_the_middle_of, interrupts
):
    root = make_project(SLEEPING.replace("INNER", f"trap '' INT; {INNER}"))
    process, pids = in_the_middle_of(root)
    process.send_signal(signal.SIGINT)
    if interrupts == 2:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) != 0
    wait_until(lambda: not any(map(is_alive, pids)), BOUND)
    (root / "slow").unlink()
    assert run(root) == {"done": StageState.UNCHANGED, "sleeps": StageState.BUILT}


def test_dvc_lock_is_read_no_more_often_for_many_targets(make_project, monkeypatch):
    """It takes longest to read in a project of many experiments."""
    from dvc.dvcfile import Lockfile

    names = [f"p{number}" for number in range(8)]
    root = make_project(
        FAMILY.partition("  join:")[0], f"parts: {{{', '.join(f'{name}: {{value: 1}}' for name in names)}}}"
    )
    run(root)
    reads = []
    load = Lockfile._load
    monkeypatch.setattr(Lockfile, "_load", lambda self, **how: (reads.append(self), load(self, **how))[1])

    def reads_for(count: int) -> int:
        reads.clear()
        assert set(run(root, targets=tuple(f"part@{name}" for name in names[:count])).values()) == {
            StageState.UNCHANGED
        }
        return len(reads)

    assert 0 < reads_for(8) <= reads_for(1)


def test_an_empty_choice_of_targets_chooses_no_stage(make_project):
    assert run(make_project(FAMILY, PARTS), targets=()) == {}


def test_a_stage_remembers_how_long_it_took(make_project):
    root = make_project(FAMILY, PARTS)
    run(root)
    assert all(0 < stage.last_seconds < BOUND for stage in Pipeline(root).stages.values())


def test_stages_over_an_empty_mapping_are_none_and_an_entry_is_one(make_project):
    stages = """
        stages:
          first:
            cmd: echo 1 > first.txt
            outs: [first.txt]
          each:
            foreach: ${batches}
            do:
              cmd: cat first.txt > ${item.output}
              deps: [first.txt]
              outs: ["${item.output}"]
        """
    root = make_project(stages, "batches: {}\n")
    assert list(Pipeline(root).stages) == ["first"]
    (root / "params.yaml").write_text("batches:\n  one: {output: one.txt}\n")
    pipeline = Pipeline(root, ["each@one"])
    pipeline.run(1, lambda _: None)
    assert {name: stage.state for name, stage in pipeline.stages.items()} == {
        "first": StageState.BUILT,
        "each@one": StageState.BUILT,
    }
    assert (root / "one.txt").read_text() == "1\n"


def test_an_import_is_unchanged_where_its_origin_cannot_be_reached(make_project):
    root = make_project("stages: {a: {cmd: cp imported a, deps: [imported], outs: [a]}}")
    (root / "imported").write_text("1\n")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "imported"], cwd=root, check=True)
    record = root / "imported.dvc"  # now as `dvc import` writes it
    origin = f"{{url: '{root.parent}/gone', rev_lock: 0123456789abcdef0123456789abcdef01234567}}"
    record.write_text(f"frozen: true\ndeps: [{{path: data, repo: {origin}}}]\n{record.read_text()}")
    with Repo(str(root)) as repo:
        record.write_text(f"md5: {repo.stage.load_one('imported.dvc').compute_md5()}\n{record.read_text()}")
    assert run(root) == {"imported.dvc": StageState.UNCHANGED, "a": StageState.BUILT}


FROZEN = """
stages:
  first: {cmd: cp in first, deps: [in], outs: [first]}
  middle: {cmd: cp first middle, deps: [first], outs: [middle]}
  last: {cmd: cp middle last, deps: [middle], outs: [last]}
"""


@pytest.fixture
def frozen(make_project) -> Path:
    """A built project of three stages, of which the first one would fail now, and the second one is frozen."""
    root = make_project(FROZEN)
    (root / "in").write_text("1\n")
    run(root)
    (root / "dvc.yaml").write_text(
        FROZEN.replace("cp in first", "exit 1").replace("{cmd: cp f", "{frozen: true, cmd: cp f")
    )
    (root / "last").unlink()
    return root


def test_a_frozen_stage_does_not_need_what_it_depends_on(frozen: Path):
    states = {"first": StageState.FAILED, "middle": StageState.UNCHANGED, "last": StageState.BUILT}
    assert run(frozen) == states
    assert list(run(frozen, targets=("last",))) == ["middle", "last"]


def test_a_frozen_stage_is_not_skipped_with_what_it_depends_on(frozen: Path):
    pipeline = Pipeline(frozen)
    pipeline.skip({"first": "out of reach"})
    pipeline.run(2, watch_nothing)
    states = {name: stage.state for name, stage in pipeline.stages.items()}
    assert states == {"first": StageState.SKIPPED, "middle": StageState.UNCHANGED, "last": StageState.BUILT}


def test_a_command_that_cannot_be_started_fails_its_stage_alone(make_project):
    root = make_project(
        """
        stages:
          first: {cmd: rmdir folder; echo 1 > first, outs: [first]}
          second: {wdir: folder, cmd: cp ../first ../second, deps: [../first], outs: [../second]}
          third: {cmd: sleep 0.5; cp first third, deps: [first], outs: [third]}
        """
    )
    (root / "folder").mkdir()
    pipeline = Pipeline(root)
    pipeline.run(2, watch_nothing)
    states = {name: stage.state for name, stage in pipeline.stages.items()}
    assert states == {"first": StageState.BUILT, "second": StageState.FAILED, "third": StageState.BUILT}
    (said,) = pipeline.stages["second"].last_lines(9)
    assert said.startswith("it could not be started: [Errno 2] No such file or directory")


def test_a_stage_that_is_restored_keeps_the_time_that_its_command_took(make_project):
    root = make_project("stages: {a: {cmd: sleep 0.5; cp in a, deps: [in], outs: [a]}}")
    (root / "in").touch()
    run(root)
    took = Pipeline(root).stages["a"].last_seconds
    (root / "a").unlink()
    assert run(root) == {"a": StageState.BUILT}
    assert Pipeline(root).stages["a"].last_seconds == took


def test_the_pipeline_is_read_once_however_many_tasks_go_to_a_cluster(make_project, monkeypatch):
    from dvc.repo.index import Index

    reads = []
    read = Index.from_repo
    monkeypatch.setattr(Index, "from_repo", lambda *given, **how: (reads.append(given), read(*given, **how))[1])
    root = make_project(FAMILY, PARTS)
    pipeline = Pipeline(root)
    with closing(Elsewhere(2)) as engine:
        pipeline.run(2, watch_nothing, engine=engine)
    assert {stage.state for stage in pipeline.stages.values()} == {StageState.BUILT}
    assert engine.needs == {"part@a": (), "part@b": (), "join": ("a.out", "b.out")}
    assert len(reads) == 1


def left_at_a_cluster(root: Path) -> Ended:
    """The end of a stage that writes `out` in this folder, before anybody has recorded it."""
    with closing(Elsewhere(1)) as engine:
        Pipeline(root).run(1, watch_nothing, engine=engine)
    shutil.rmtree(root / ".dvc" / "cache")
    (root / "dvc.lock").unlink()
    return Ended(engine.keys[0], 0, made=shared_data.md5s(root, ["out"]))


@pytest.mark.parametrize("kind", ["a file", "a folder"])
def test_what_a_cluster_has_made_is_recorded_if_it_is_still_there(make_project, kind: str):
    write = {"a file": "cp params.yaml out", "a folder": "mkdir out; cp params.yaml out/x"}[kind]
    root = make_project(f"stages: {{a: {{cmd: 'echo a >> order; {write}', params: [x], outs: [out]}}}}", "x: 1\n")
    end = left_at_a_cluster(root)
    pipeline, reasons = Pipeline(root), list[str]()
    with closing(BackAt({end.key: end})) as engine:
        pipeline.run(1, lambda stages: reasons.append(stages["a"].reason), engine=engine)
    assert order(root) == ["a"], "it was done once"
    assert set(reasons) == {""}
    assert lock(root)["stages"]["a"]["outs"][0]["md5"] == end.made["out"]


@pytest.mark.parametrize("kind", ["replaced", "gone", "unknown"])
def test_what_a_cluster_has_made_is_made_again_if_it_was_replaced_since(make_project, kind: str):
    root = make_project("stages: {a: {cmd: 'echo a >> order; cp params.yaml out', params: [x], outs: [out]}}", "x: 1\n")
    end = left_at_a_cluster(root)
    if kind == "unknown":
        end = replace(end, made=None)
    elif kind == "gone":
        (root / "out").unlink()
    else:
        (root / "params.yaml").write_text("x: 2\n")
        assert run(root) == {"a": StageState.BUILT}
        (root / "params.yaml").write_text("x: 1\n")
    order(root)
    pipeline, reasons = Pipeline(root), set()
    with closing(BackAt({end.key: end})) as engine:
        pipeline.run(1, lambda stages: reasons.add(stages["a"].reason), engine=engine)
    assert pipeline.stages["a"].state is StageState.BUILT
    assert reasons == {"", "begins again: what the cluster has made of it is not what is here"}
    assert order(root) == ["a"], "once more"
    assert (root / "out").read_text() == "x: 1\n"
    assert lock(root)["stages"]["a"]["outs"][0]["md5"] == shared_data.md5s(root, ["out"])["out"]
