"""Reading once must never hide a change: what DVC itself finds is found, stage by stage."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import dpath
import pytest
from dvc.exceptions import DvcException, StagePathAsOutputError
from dvc.repo import Repo, lock_repo
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx import lexicographical_topological_sort
from support.pipelines import init_dvc

from modelyard.core.config import load_once
from modelyard.core.errors import ModelyardError
from modelyard.orchestration import scheduler
from modelyard.orchestration.change_reasons import reasons
from modelyard.orchestration.path_locks import PathLocks
from modelyard.orchestration.read_once import _Parameters, read_once, upstream_stages
from modelyard.orchestration.scheduler import Pipeline, StageState

PIPELINE = """
stages:
  prepare:
    foreach: ${parts}
    do:
      cmd: mkdir -p data/${key}; cat code.txt more/code.txt > data/${key}/x; echo ${item} > data/${key}/y
      deps: [code.txt, more]
      params:
        - parts.${key}
      outs:
        - data/${key}
  join:
    cmd: cat data/a/x data/b/y > joined; cp joined raw/joined; echo '{"rows":1}' > metrics.json
    deps: [code.txt, data/a, data/b/y]
    params:
      - other.yaml:
          - threads
    outs:
      - joined
      - raw/joined: {persist: true}
    metrics:
      - metrics.json: {cache: false}
"""
OTHER_PIPELINE = """
vars: [../params.yaml]
stages:
  sum:
    wdir: ..
    cmd: cat data/*/y > sum; echo ${parts.a} >> sum
    deps: [data]
    params: [parts]
    outs: [sum]
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "other/dvc.yaml": OTHER_PIPELINE,
    "params.yaml": "parts: {a: 1, b: 2}\n",
    "other.yaml": "threads: 1\n",
    "code.txt": "code\n",
    "more/code.txt": "more\n",
    "raw/kept": "",
}
TEXTS = {
    "params.yaml": ["parts: {a: 1, b: 3}\n", "parts: {b: 2, a: 1}\n", "parts: {a: 1, b: 2, c: 3}\n", "parts: {a: 1}\n"],
    "other.yaml": ["threads: 2\n", "threads: 1\njobs: 1\n", "jobs: 1\n", "threads: on\n", "threads: [1\n", ""],
    "dvc.yaml": [
        PIPELINE.replace("deps: [code.txt, more]", "deps: [code.txt]"),
        PIPELINE.replace("cmd: mkdir", "cmd: true; mkdir"),
        PIPELINE.replace("parts.${key}", "parts"),
        PIPELINE.replace("      - joined\n", "      - joined: {cache: false}\n"),
        PIPELINE.replace("    outs:\n      - joined", "    frozen: true\n    outs:\n      - joined"),
        PIPELINE.replace("    outs:\n      - joined", "    always_changed: true\n    outs:\n      - joined"),
        PIPELINE.replace("outs:\n      - joined", "outs:\n      - data/a/joined"),
        PIPELINE.replace("deps: [code.txt, more]", "deps: [code.txt, sum]"),
        PIPELINE + "  new: {cmd: touch new, outs: [new]}\n",
    ],
    ".dvcignore": ["data/a/new\n", "more\n", "joined\n"],
    "new/dvc.yaml": ["stages:\n  new: {cmd: touch it, deps: [../sum], outs: [it]}\n"],
    "copied.dvc": ["outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  path: copied\n"],
}
SOURCES = ["code.txt", "more/code.txt"]
DATA = ["data/a/x", "data/a/y", "data/b/x", "data/b/y"]
OUTPUTS = ["joined", "raw/joined", "metrics.json", "sum"]
PLACES = [*SOURCES, *DATA, *OUTPUTS, "more/new.txt", "data/a/new", "data/c/y"]
EXISTING = [*FILES, *DATA, *OUTPUTS, "dvc.lock", "other/dvc.lock", "more", "data", "data/a", "data/b"]


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    if not Path(name).is_dir():
        Path(name).write_text(text)


def edit_unseen(name: str) -> None:
    """Edit a file without another size, time or inode, by which DVC knows a file again."""
    if Path(name).is_file():
        before, content = Path(name).stat(), Path(name).read_bytes()
        with Path(name).open("r+b") as file:
            file.write(content.swapcase())
        os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))


def delete(name: str) -> None:
    if Path(name).is_dir():
        shutil.rmtree(name)
    else:
        Path(name).unlink(missing_ok=True)


def rename(name: str, other: str) -> None:
    if Path(name).is_file() and not Path(other).is_dir():
        Path(other).parent.mkdir(parents=True, exist_ok=True)
        Path(name).rename(other)


def swap(name: str, other: str) -> None:
    if Path(name).is_file() and Path(other).is_file() and name != other:
        rename(name, "swapped")
        rename(other, name)
        rename("swapped", other)


def touch(name: str) -> None:
    if Path(name).exists():
        os.utime(name)


def restore(name: str, built: Path) -> None:
    if (built / name).is_file():
        delete(name)
        write(name, (built / name).read_text())


def lose_cached_object(number: int) -> None:
    objects = sorted(Path(".dvc/cache/files").rglob("*/*[0-9a-f]"))
    delete(str(objects[number % len(objects)]))


def edit_lock(number: int) -> None:
    """Write another size, hash, command or value into dvc.lock, or damage it."""
    if Path("dvc.lock").exists():
        lines = Path("dvc.lock").read_text().splitlines(keepends=True)
        place = number % len(lines)
        lines[place] = re.sub(r"\w(?=\W*$)", "1", lines[place])
        write("dvc.lock", "".join(lines))


def link(name: str, target: str) -> None:
    if Path(target).exists() and name != target:
        delete(name)
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).symlink_to(Path(target).absolute())


TEXT_EDITS = [(name, text) for name, texts in TEXTS.items() for text in texts]
OPERATIONS = st.one_of(
    st.builds(lambda each: (write, *each), st.sampled_from(TEXT_EDITS)),
    st.tuples(st.just(write), st.sampled_from(PLACES), st.sampled_from(["edited\n", "code\n", "CODE\n", "1\n", ""])),
    st.tuples(st.just(edit_unseen), st.sampled_from([*SOURCES, *DATA, *OUTPUTS])),
    st.tuples(st.just(delete), st.sampled_from(EXISTING)),
    st.tuples(st.just(rename), st.sampled_from([*SOURCES, *DATA, *OUTPUTS]), st.sampled_from(PLACES)),
    st.tuples(st.just(swap), st.sampled_from([*SOURCES, *DATA, *OUTPUTS]), st.sampled_from([*SOURCES, *DATA])),
    st.tuples(st.just(touch), st.sampled_from(EXISTING)),
    st.tuples(st.just(restore), st.sampled_from([*FILES, *DATA, *OUTPUTS])),
    st.tuples(st.just(lose_cached_object), st.integers(0, 20)),
    st.tuples(st.just(edit_lock), st.integers(0, 200)),
    st.tuples(st.just(link), st.sampled_from([*DATA, *OUTPUTS]), st.sampled_from([*DATA, *SOURCES])),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of four stages in two files that is up to date."""
    root = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name, content in FILES.items():
            write(name, content)
        init_dvc(root)
        with Repo() as repo:
            repo.reproduce(all_pipelines=True)
    return root


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built project, which is the current folder."""
    root = tmp_path / "project"
    shutil.copytree(built, root, symlinks=True)
    monkeypatch.chdir(root)
    return root


def found_by_dvc() -> dict[str, list[str]] | None:
    """The changes of each stage that DVC finds; None where it cannot build the project, whatever it raises."""
    try:
        with Repo() as repo:
            repo.index.check_graph()
            found = repo.status()
            return {stage.addressing: reasons(stage, found.get(stage.addressing, [])) for stage in repo.index.stages}
    except Exception:
        return None


def found_by_us() -> dict[str, list[str]] | None:
    """The same from a pipeline, where a stage after another that is not up to date is marked as well."""
    try:
        pipeline = Pipeline(Path.cwd())
        pipeline.find_unchanged()
    except Exception:
        return None
    for stage in pipeline.stages.values():
        is_behind = any(pipeline.stages[name].state is not StageState.UNCHANGED for name in stage.upstream)
        assert (stage.state is StageState.UNCHANGED) == (not stage.changes)
        assert is_behind == any(change.startswith("after ") for change in stage.changes)
    return {
        name: [change for change in stage.changes if not change.startswith("after ")]
        for name, stage in pipeline.stages.items()
    }


def check_findings(edits: list, built: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compare the findings of DVC and of a pipeline after edits of a copy of the built project."""
    root = tmp_path_factory.mktemp("edited") / "project"
    shutil.copytree(built, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert set(map(tuple, found_by_us().values())) == {()}  # and DVC remembers each file from now on
        for operation, *arguments in edits:
            operation(*arguments, *([built] if operation is restore else []))
        ours = found_by_us()
        assert ours == found_by_dvc()


EDITS = given(edits=st.lists(OPERATIONS, min_size=1, max_size=4))
test_the_changes_of_each_stage_are_those_that_dvc_finds = settings(max_examples=30)(EDITS(check_findings))
test_many_changes = pytest.mark.slow(settings(max_examples=300)(EDITS(check_findings)))


@pytest.mark.parametrize("name", [*SOURCES, *DATA, *OUTPUTS])
def test_every_edited_file_is_found(name: str, project: Path) -> None:
    write(name, "edited\n")
    changed = [stage for stage, changes in found_by_us().items() if changes]
    assert changed == [stage for stage, changes in found_by_dvc().items() if changes]
    assert changed


def test_the_stages_with_changes_are_those_of_dvc_status(project: Path) -> None:
    for name in ("code.txt", "data/b/y", "metrics.json"):
        write(name, "edited\n")
    printed = subprocess.run(["dvc", "status", "--json"], capture_output=True, check=True).stdout
    assert {stage for stage, changes in found_by_us().items() if changes} == json.loads(printed).keys()


def test_a_file_edited_after_the_pipeline_was_read_is_found(project: Path) -> None:
    pipeline = Pipeline(project)
    write("code.txt", "edited\n")
    write("params.yaml", "parts: {a: 1, b: 3}\n")
    pipeline.find_unchanged()
    assert pipeline.stages["prepare@b"].changes == ("code.txt changed", "parts.b: 2 -> 3")


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list:
    calls, called = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given, **more: calls.append(given) or called(*given, **more))
    return calls


def test_each_text_is_parsed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ruamel.yaml import YAML

    load_once.cache_clear()
    calls = count_calls(monkeypatch, YAML, "load")
    found_by_us()
    texts = [text for _, text in calls]
    assert len(texts) == len(set(texts))
    assert {Path(name).read_text() for name in ("params.yaml", "dvc.yaml", "dvc.lock")} < set(texts)


def test_each_path_is_hashed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.output import Output

    hashed = count_calls(monkeypatch, Output, "_get_hash_meta")
    found_by_us()
    paths = [output.fs_path for (output,) in hashed]
    assert len(paths) == len(set(paths)) == 10


def test_paths_are_locked_once_and_unlocked_at_the_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc import rwlock

    own, dvcs = count_calls(monkeypatch, PathLocks, "take"), count_calls(monkeypatch, rwlock, "rwlock")
    found_by_us()
    assert (len(own), len(dvcs)) == (1, 0)
    assert json.loads(Path(".dvc/tmp/rwlock").read_text()) == {"read": {}, "write": {}}


def test_what_another_process_is_making_is_waited_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(project)
    monkeypatch.setattr(scheduler, "STOP_SECONDS", 0.0)
    writer = {"pid": os.getppid(), "cmd": "dvc repro"}
    write(".dvc/tmp/rwlock", json.dumps({"write": {str(project / "data/a"): writer}}))
    with pytest.raises(ModelyardError, match="dvc repro"):
        pipeline.find_unchanged()


def test_dvc_is_as_before_after_the_block(project: Path) -> None:
    import gc

    from dvc import rwlock
    from dvc.dependency import param
    from dvc.output import Output
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    places = [
        (rwlock, "rwlock"),
        (param, "dpath"),
        (Output, "_get_hash_meta"),
        (strictyaml, "parse_yaml"),
        (_yaml, "parse_yaml"),
    ]
    before = [getattr(*place) for place in places]
    with Repo() as repo, lock_repo(repo), pytest.raises(KeyError), read_once(repo, repo.index.stages):
        assert not any(getattr(*place) is value for place, value in zip(places, before, strict=True))
        assert not gc.isenabled()
        raise KeyError
    assert [getattr(*place) for place in places] == before
    assert gc.isenabled()


NAMES = ["a", "b", "a.b", "0", "1", "a*", "", "é", "True", "-1"]
KEYS = st.sampled_from([*NAMES, 0, 1, -1, True, None, 1.5])
CONTENTS = st.recursive(
    st.sampled_from([1, "text", None, []]),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def outcome(get: Callable, content: object, key: str) -> object:
    try:
        return get(content, key, separator=".")
    except Exception as error:
        return type(error)


@settings(max_examples=300)
@given(content=CONTENTS, key=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join))
def test_a_parameter_is_what_dpath_finds(content: object, key: str) -> None:
    assert outcome(_Parameters(dpath).get, content, key) == outcome(dpath.get, content, key)


def test_a_file_is_walked_through_once_for_all_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = count_calls(monkeypatch, dpath.segments, "walk")
    content, parameters = {"a": 1, "b": 2}, _Parameters(dpath)
    assert [parameters.get(content, key, separator=".") for key in "ab"] == [1, 2]
    assert sum(walked[0] is content for walked in walks) == 1


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of DVC without stages."""
    root = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        init_dvc(root)
    return root


@settings(max_examples=30)
@given(deps=st.lists(st.sets(st.sampled_from(["1", "2", "3", "d", "d/4", "d/4/x", "d/5"]), max_size=3), min_size=5))
def test_upstream_stages_are_those_of_the_graph_of_dvc(deps: list[set[str]], empty: Path) -> None:
    outs = ["1", "2", "3", "d/4", "d/5"]
    stages = {
        f"s{number}": {"cmd": "true", "deps": sorted(needed - {out}), "outs": [out]}
        for number, (out, needed) in enumerate(zip(outs, deps, strict=False))
    }
    (empty / "dvc.yaml").write_text(str({"stages": stages}))
    with Repo(empty) as repo:
        order = list(repo.index.stages)
        try:
            graph = repo.index.graph
        except DvcException as error:
            with pytest.raises(type(error)):
                upstream_stages(repo.index)
            return
        found = upstream_stages(repo.index)
    expected = {stage.addressing: {each.addressing for each in graph.successors(stage)} for stage in graph}
    assert found == expected
    assert list(found) == [
        stage.addressing for stage in lexicographical_topological_sort(graph.reverse(), key=order.index)
    ]


def test_a_dvc_yaml_within_an_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    init_dvc(tmp_path)
    write("a/dvc.yaml", "stages:\n  inside: {cmd: 'true', wdir: .., outs: [x]}\n")
    write("b/dvc.yaml", "stages:\n  around: {cmd: 'true', wdir: .., outs: [a]}\n")
    with Repo() as repo, pytest.raises(StagePathAsOutputError):
        upstream_stages(repo.index)
