"""Spares DVC doing the same again for each stage while it reads a pipeline and looks for what has changed.

For each stage, DVC parses params.yaml, walks through all of it for each parameter, hashes each dependency and output,
and notes in a file which paths it reads: with 400 stages, most of the time. This reaches into DVC's modules, which
pyproject.toml therefore pins.
"""

import gc
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from types import SimpleNamespace
from typing import Any

from ruamel.yaml.error import YAMLError

from modelyard.core.config import load_once
from modelyard.orchestration.patching import patched
from modelyard.orchestration.path_locks import PathLocks, lockable_paths, paths_are_locked

SEGMENT = r"[^.*?\[\s\d+-][^.*?\[]*"  # neither a pattern nor the index of a list
PLAIN_KEY = re.compile(rf"{SEGMENT}(\.{SEGMENT})*")


@contextmanager
def parse_once() -> Iterator[None]:
    """Within the block, DVC parses each text of YAML once, and finds parameters without a walk through all others."""
    from dvc.dependency import param
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    parse = _yaml.parse_yaml

    def load(text: str, path: str, typ: str = "safe") -> Any:
        if typ == "safe" and not path.endswith(".dvc"):  # what such a file holds DVC takes apart
            try:
                return load_once(text) or {}
            except YAMLError:
                pass  # DVC's own function turns it into DVC's error
        return parse(text, path, typ)

    parameters = SimpleNamespace(get=_Parameters(param.dpath).get, search=param.dpath.search)
    parsers = ((_yaml, "parse_yaml", load), (strictyaml, "parse_yaml", load))
    with _collector_paused(), patched(*parsers, (param, "dpath", parameters)):
        yield


@contextmanager
def read_once(repo: Any, stages: Iterable[Any]) -> Iterator[None]:
    """Do as `parse_once`, and within the block hash each file or folder once, and lock all paths of the stages at once.

    Args:
        repo: DVC's repository, locked.
        stages: DVC's own stages, as far as they are looked at; no process may write to their paths meanwhile.

    Raises:
        LockError: another process is writing to one of the paths.
    """
    from dvc.output import Output

    hash_meta = Output._get_hash_meta
    hashed: dict[tuple[str, str], Any] = {}

    def hash_once(output: Any) -> Any:
        if output.fs.protocol != "local":  # equal paths can be on different servers
            return hash_meta(output)
        key = (output.fs_path, output.hash_name)
        if key not in hashed:
            hashed[key] = hash_meta(output)
        return hashed[key]

    locks = PathLocks(repo)
    locks.take("all", lockable_paths(each for stage in stages for each in (*stage.deps, *stage.outs)), (), ())
    try:
        with parse_once(), paths_are_locked(), patched((Output, "_get_hash_meta", hash_once)):
            yield
    finally:
        locks.release("all")


def upstream_stages(index: Any) -> dict[str, frozenset[str]]:
    """Return the stages that each stage depends on, by name; upstream stages come first, otherwise as in dvc.yaml.

    They are those of DVC's graph, which takes long: it imports networkx, and hashes stages again and again.

    Raises:
        DvcException: there is a cycle, outputs overlap, or a dvc.yaml is within an output.
    """
    from dvc.fs import localfs

    outputs, stages = index.outs_trie, list(index.stages)
    names = {id(stage): stage.addressing for stage in stages}
    makers = {names[id(stage)]: _makers(stage, outputs) for stage in stages}
    upstream = {name: frozenset(names[id(stage)] for stage in found) for name, found in makers.items()}
    if any(outputs.shortest_prefix(localfs.parts(stage.path)) for stage in stages):
        index.check_graph()
    try:
        return {name: upstream[name] for name in _sorted_topologically(upstream)}
    except CycleError:
        index.check_graph()
        raise


def _makers(stage: Any, outputs: Any) -> Iterator[Any]:
    """Yield the stages with an output that is, holds, or is in a dependency of a stage."""
    from dvc.dependency import DatasetDependency

    if stage.is_repo_import or stage.is_db_import:
        return
    for dependency in stage.deps:
        if not isinstance(dependency, DatasetDependency):
            key = dependency.fs.parts(dependency.fs_path)
            yield from (found.value.stage for found in outputs.prefixes(key))
            if outputs.has_subtrie(key):
                yield from (output.stage for output in outputs.values(prefix=key))


def _sorted_topologically(upstream: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield names so that each comes after its upstream ones, and otherwise in their order.

    Raises:
        CycleError: that is impossible.
    """
    names = list(upstream)
    position = {name: number for number, name in enumerate(names)}
    sorter: TopologicalSorter[str] = TopologicalSorter(upstream)
    ready: list[int] = []
    sorter.prepare()
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, position[name])
        first = names[heappop(ready)]
        yield first
        sorter.done(first)


class _Parameters:
    """Finds what `dpath.get` finds in a file, with one walk through the file for all keys."""

    def __init__(self, dpath: Any) -> None:
        self._dpath = dpath
        self._files: dict[int, tuple[Any, dict[tuple[Any, ...], list[Any]]]] = {}

    def get(self, content: Any, key: str, separator: str) -> Any:
        """Return the only value of a key with separators."""
        found = self._values(content).get(tuple(key.split(separator)), []) if PLAIN_KEY.fullmatch(key) else []
        return found[0] if len(found) == 1 else self._dpath.get(content, key, separator=separator)

    def _values(self, content: Any) -> dict[tuple[Any, ...], list[Any]]:
        if id(content) not in self._files:
            values: dict[tuple[Any, ...], list[Any]] = {}
            for path, value in self._dpath.segments.walk(content):
                # dpath takes true: and 1: as "True" and "1", and finds no other key that is not a text
                values.setdefault(tuple(str(key) if isinstance(key, int) else key for key in path), []).append(value)
            self._files[id(content)] = content, values  # with the content, so that no other gets its id
        return self._files[id(content)][1]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Collect no garbage within the block: what is read lives on, and each collection goes through all of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
