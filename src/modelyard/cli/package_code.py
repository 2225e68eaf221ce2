"""Which code of the package a project's stages depend on, where the project has none of it in src/.

The dvc.yaml of such a project is that of the package's own repository, with each file of src/modelyard/ replaced by
its hash in pipeline/package.yaml, which is a file of parameters to DVC. A new version of the package thus runs those
stages again whose code has changed, and no others.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from modelyard.core.config import flatten, parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text

PACKAGE = Path(__file__).parents[1]
TEMPLATES = Path(__file__).parent / "templates"  # files of the repository are links, copied when a wheel is built
PIPELINES = {
    "dvc.yaml": "root_dvc.yaml",
    "pretrained/dvc.yaml": "pretrained_dvc.yaml",
    "studies/dvc.yaml": "studies_dvc.yaml",
}
"""The template of each dvc.yaml; none has that name, with which DVC would take it for a pipeline of this repository."""

LOCK = Path("pipeline/package.yaml")
HEADER = (
    "# The code of the installed modelyard that results depend on: the beginning of the SHA-256 of each file.\n"
    "# `modelyard run` writes this file; commit it together with dvc.lock.\n"
)
FILES = "files"
"""The key of package.yaml with the hashes of the files that `modelyard new` or `modelyard upgrade` wrote."""
PINNED = re.compile(r"""(?m)(?:^|["'])modelyard *== *([^\s"',;]+)""")
"""The version of the package in a lock file, or in the dependencies of a pyproject.toml."""
SOURCE = "src/modelyard/"
DIGITS = 12  # of a hash: enough to notice a change
LISTED = 6  # changed files in one line
WIDTH = 118


def project_files() -> dict[str, str]:
    """Return what a project has of the repository's pipeline: the text of each file by its path."""
    scripts = [file for file in sorted((TEMPLATES / "pipeline").iterdir()) if file.is_file()]  # not __pycache__
    return {path: _with_hashes((TEMPLATES / name).read_text()) for path, name in PIPELINES.items()} | {
        f"pipeline/{file.name}": file.read_text() for file in scripts
    }


def refresh(root: Path) -> str:
    """Bring package.yaml up to date; return what has changed, "" if nothing, or if the project does not have it."""
    if not uses_lock(root):
        return ""
    before = _read(root / LOCK)
    files = before.pop(FILES, None) or {}
    now = _installed()
    _write(root, now, files)
    changes = _describe(before, now) if before else ""
    return "\n".join(filter(None, [changes, _describe_files(files), find_other_version(root)]))


def find_other_version(root: Path) -> str:
    """Return that a project asks for another version than the installed one, and what to do, "" if it does not."""
    installed = version("modelyard")
    for name, todo in (("requirements.lock", "make install"), ("pyproject.toml", "make lock && make install")):
        try:
            pinned = PINNED.search((root / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):  # the project has no such file, or another program reports it
            continue
        if pinned and pinned[1] != installed:
            return f"modelyard {installed} is installed, and {name} asks for {pinned[1]}: run `{todo}`."
    return ""


class TakenOver(NamedTuple):
    """The files that were written; those edited here with a new one beside them as `<file>.new`; the others edited."""

    written: list[str]
    conflicting: list[str]
    edited: list[str]


def take_over(root: Path) -> TakenOver:
    """Write the files of `project_files` where the project has those of an earlier version, or none."""
    before = _read(root / LOCK)
    recorded = before.get(FILES) or {}
    new = project_files()
    digests = {path: _digest(text.encode()) for path, text in new.items()}
    done = TakenOver([], [], [])
    for path, text in new.items():
        present = _digest((root / path).read_bytes()) if (root / path).exists() else None
        if present == digests[path]:
            continue
        if present in (None, recorded.get(path)):
            done.written.append(path)
            write_text(root / path, text)
        elif digests[path] == recorded.get(path):
            done.edited.append(path)
        else:
            done.conflicting.append(path)
            write_text(root / f"{path}.new", text)
    (root / "pipeline" / "python").chmod(0o755)
    # What was installed before stays noted: the next `refresh` says what of it has changed.
    _write(root, before or _installed(), digests)
    return done


def uses_lock(root: Path) -> bool:
    """Return whether the stages of a project depend on package.yaml."""
    try:
        return str(LOCK) in (root / "dvc.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # reported by those who need the file
        return False


def _read(file: Path) -> dict[str, Any]:
    """What was installed before; nothing where the file is missing or damaged, such as by a merge."""
    try:
        return dict(parse_yaml(file.read_text(encoding="utf-8"), file))
    except (OSError, ValueError, TypeError, ModelyardError):
        return {}


def _write(root: Path, installed: Mapping[str, Any], files: Mapping[str, str]) -> None:
    text = HEADER + _as_yaml({**installed, FILES: files})
    if not (root / LOCK).exists() or (root / LOCK).read_text(encoding="utf-8") != text:
        write_text(root / LOCK, text)


def _installed() -> dict[str, Any]:
    """The version of the package, and the hash of each file that a stage depends on."""
    content: dict[str, Any] = {"version": version("modelyard")}
    for file in sorted(set(_code())):
        *folders, name = file.relative_to(PACKAGE).with_suffix("").parts
        section = content
        for folder in folders:
            section = section.setdefault(folder, {})
        section[name] = _digest(file.read_bytes())
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _code() -> Iterator[Path]:
    """The files of the package that stages depend on; of a path with a variable, all that it could be."""
    for name in PIPELINES.values():
        for path in re.findall(rf"^ +- {SOURCE}([^$\s]*)", (TEMPLATES / name).read_text(), flags=re.MULTILINE):
            yield from (PACKAGE / path).rglob("*.py") if (PACKAGE / path).is_dir() else [PACKAGE / path]


def _with_hashes(text: str) -> str:
    """Return the text of a dvc.yaml whose stages depend on package.yaml instead of the files of the package."""
    comments = re.match(r"(#.*\n)*", text)
    content = YAML(typ="safe").load(text)
    for stage in content["stages"].values():
        body = stage.get("do", stage)
        keys = [_key(dep) for dep in body["deps"] if dep.startswith(SOURCE)]
        body["deps"] = [dep for dep in body["deps"] if not dep.startswith(SOURCE)]
        body["params"] = [*body.get("params", []), {str(LOCK): keys}]
    written = re.sub(r"(?m)^(?=  \w+:$)", "\n", _as_yaml(content))  # an empty line before each stage
    return (comments[0] if comments else "") + written


def _key(path: str) -> str:
    return path.removeprefix(SOURCE).removesuffix(".py").replace("/", ".")


def _as_yaml(content: Any) -> str:
    yaml, stream = YAML(), StringIO()
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(json.loads(json.dumps(content)), stream)  # a copy without the aliases of shared parts
    return re.sub(r"(?m) +$", "", stream.getvalue())


def _describe_files(files: Mapping[str, str]) -> str:
    """Say which files of the pipeline the installed version has changed."""
    new = {path: _digest(text.encode()) for path, text in project_files().items()}
    changed = [path for path, digest in new.items() if files.get(path) != digest]
    return f"This version of modelyard has another {', '.join(changed)}: run `modelyard upgrade`." if changed else ""


def _describe(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = flatten(before), flatten(now)
    versions = f"modelyard {old.pop('version', 'unknown')} -> {new.pop('version')}"
    changed = [key for key in new if old.get(key) != new[key]]
    if changed:
        more = f" and {len(changed) - LISTED} more" if len(changed) > LISTED else ""
        shown = f"{', '.join(changed[:LISTED])}{more}"
        return f"{versions}: what depends on code that has changed is built again ({shown})."
    return "" if before == now else f"{versions}: no code that results depend on has changed."
