"""dvc.lock: the MD5 of each stage's dependencies and outputs after its last run, and whether files still match it.

The file is parsed here because importing DVC takes a second.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from modelyard.core.config import flatten, parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum, conflict_message, read_text

LOCK = "dvc.lock"
START = "schema: '2.0'\nstages:\n"
RESTORE_LOCK = (
    "Restore it from git (git checkout HEAD -- dvc.lock), or delete it; `modelyard run` then builds what differs."
)


@dataclass(frozen=True)
class LockedStage:
    """A stage after its last run: the MD5 of each file and folder that it depends on and that it wrote, by path.

    `params` has the values of params.yaml that it depends on, by dotted key.
    """

    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)


def read(root: Path, names: Collection[str] | None = None) -> dict[str, LockedStage]:
    """Return the locked stages by the name that DVC gives them; those of subfolders are `sub/dvc.yaml:train@x`.

    Args:
        root: the folder of dvc.lock; the lock files of its subfolders are read too.
        names: only these stages are needed; parsing all of a hundred takes longer than many a training.
    """
    stages: dict[str, LockedStage] = {}
    for lock, prefix, text in _locks(root):
        if names is not None and is_plain(text):
            own = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            text = START + "".join(entry[0] for name in own if (entry := entry_pattern(f"  {name}:").search(text)))
        stages |= {prefix + name: stage for name, stage in parse(text, lock).items()}
    return stages if names is None else {name: stages[name] for name in names if name in stages}


def names(root: Path) -> set[str]:
    """Return the names of all locked stages, as `read` does; parsing all of a hundred takes a second."""
    found: set[str] = set()
    for lock, prefix, text in _locks(root):
        own = re.findall(r"(?m)^  (\S.*):$", text) if is_plain(text) else parse(text, lock)
        found |= {prefix + name for name in own}
    return found


def is_plain(text: str) -> bool:
    """Return whether the text of a dvc.lock has stages only, each whole by itself.

    A tool that rewrote the file may have left YAML aliases, which refer from one stage to the lines of another.
    """
    stages_only = re.match(rf"{START}(  .*\n|\n)*\Z", text) is not None
    return stages_only and re.search(r"(?m)^ +(- |\S+: )?\*\w+$", text) is None


def entry_pattern(first_line: str) -> re.Pattern[str]:
    """Return the pattern of a stage's lines in a plain dvc.lock, by the first of them."""
    return re.compile(rf"(?m)^{re.escape(first_line)}\n((   .*)?\n)*")


def parse(text: str, path: Path) -> dict[str, LockedStage]:
    """Return the stages of the text of one dvc.lock.

    Args:
        text: the content of the file, as it is now or as an earlier commit has it.
        path: the file, for error messages.

    Raises:
        ModelyardError: the text is not valid YAML, or not what DVC writes.
    """
    content = parse_yaml(text, path)
    try:
        entries = (content or {}).get("stages") or {}
        return {
            name: LockedStage(_md5s(entry.get("deps")), _md5s(entry.get("outs")), _values(entry.get("params")))
            for name, entry in entries.items()
        }
    except (AttributeError, KeyError, TypeError):
        raise ModelyardError(conflict_message(text, path) or f"{path}: not what DVC writes. {RESTORE_LOCK}") from None


def verified_output(stage: str, name: str, root: Path, experiment: str | None = None) -> Path:
    """Return the output of a stage whose file name is `name`, after checking that it is what DVC locked.

    Args:
        stage: its name in dvc.lock.
        name: of the output.
        root: the folder of dvc.lock.
        experiment: what `modelyard run` builds to get the output; None: what the stage is named after.

    Raises:
        ModelyardError: the stage was never run, the output is not here, or it was changed since.
    """
    return _verified(name, _stage(stage, root).outs, root, experiment or _entry(stage))


def verified_dependency(stage: str, name: str, root: Path) -> Path:
    """Return the dependency of a stage whose file name is `name`, checked as `verified_output` does."""
    return _verified(name, _stage(stage, root).deps, root, _entry(stage))


def or_pull(target: str, root: Path) -> str:
    """Return the end of advice on how to get an output or a stage: `dvc pull`, where DVC has a default remote."""
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read([root / ".dvc" / name for name in ("config", "config.local")], encoding="utf-8")
    except (ConfigParserError, UnicodeDecodeError):  # DVC itself says what is wrong with it
        return ""
    return f", or bring it: dvc pull {target}" if config.get("core", "remote", fallback="") else ""


def md5(path: Path, left_out: Collection[str] = ()) -> str:
    """Return the MD5 of a file or folder as DVC computes it; that of a folder ends in `.dir`.

    Source: dvc_data.hashfile.tree.Tree.as_bytes.

    Args:
        path: of the file or folder.
        left_out: files of the folder that do not count, relative to it.
    """
    if not path.is_dir():
        return checksum(path, "md5")
    files = [{"md5": checksum(path / name, "md5"), "relpath": name} for name in _names(path) if name not in left_out]
    return hashlib.md5(json.dumps(files).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir())


def _ignored(folder: Path, root: Path) -> list[str]:
    """The files of a folder that DVC does not see, by the names in .dvcignore."""
    ignore = root / ".dvcignore"
    lines = read_text(ignore).splitlines() if ignore.exists() else []
    patterns = [line.strip().rstrip("/") for line in lines if not line.startswith("#")]
    return [
        name
        for name in _names(folder)
        if any(fnmatchcase(part, each) for part in Path(name).parts for each in patterns)
    ]


def _locks(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Each lock file of a project, what comes before the names of its stages, and its text."""
    for lock in [root / LOCK, *sorted(root.glob(f"*/{LOCK}"))]:
        if lock.exists():
            yield lock, "" if lock.parent == root else f"{lock.parent.name}/dvc.yaml:", read_text(lock)


def _md5s(files: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {file["path"]: file.get("md5", "") for file in files or ()}


def _values(files: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    return {key: value for values in (files or {}).values() for key, value in flatten(values).items()}


def _stage(name: str, root: Path) -> LockedStage:
    stages = read(root, [name])
    if name not in stages:
        raise ModelyardError(f"{LOCK} has no {name}: it was never built. Run: modelyard run {_entry(name)}")
    return stages[name]


def _entry(stage: str) -> str:
    """The entry of a section of params.yaml that a stage is named after."""
    return stage.rpartition("@")[2]


def _verified(name: str, md5s: Mapping[str, str], root: Path, experiment: str) -> Path:
    """Return the path of this name, if its content is still what was locked."""
    path = next((path for path in md5s if Path(path).name == name), None)
    if path is None:
        raise ModelyardError(f"{LOCK} names no {name} of this stage. {RESTORE_LOCK}")
    if not (root / path).exists():
        raise ModelyardError(f"{path} is not here. Build it: modelyard run {experiment}{or_pull(path, root)}")
    actual = md5(root / path)
    if actual != md5s[path]:
        ignored = _ignored(root / path, root)
        if ignored and md5(root / path, ignored) == md5s[path]:
            files = shlex.join(f"{path}/{name}" for name in ignored)
            raise ModelyardError(
                f"{path} was refused: it has files that the pipeline did not make. Delete them: rm {files}"
            )
        raise ModelyardError(
            f"{path} was refused: it is not what the pipeline made. Its MD5 is {actual}, {LOCK} has {md5s[path]}. "
            f"Restore it: dvc checkout --force {path}; or build it again: modelyard run {experiment}"
        )
    return root / path
