"""Writes a finished stage into dvc.lock with the same bytes as DVC.

DVC reads and writes the whole file for each stage, which takes 3 s with a hundred stages while all others wait for its
lock; and a process killed meanwhile leaves half a file. Here only the stage's own lines are replaced, atomically.
"""

import re
from pathlib import Path
from typing import Any

START = "schema: '2.0'\nstages:\n"


def write_entry(stage: Any) -> None:
    """Write the entry of DVC's own stage into the dvc.lock beside its dvc.yaml."""
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    file = Path(stage.path).with_suffix(".lock")
    entry = dumps_yaml({"stages": to_lockfile(stage)}).removeprefix("stages:\n")
    content = file.read_text(encoding="utf-8") if file.exists() else START
    if _is_plain(content, entry):
        _replace(file, with_entry(content, entry))
        stage.repo.scm_context.track_file(stage.repo.fs.relpath(str(file)))
    else:
        stage.dump(update_pipeline=False)


def with_entry(content: str, entry: str) -> str:
    """Return the text of a dvc.lock with one stage's lines replaced, or added if it has none."""
    name = entry.partition("\n")[0]
    replaced, count = re.subn(rf"(?m)^{re.escape(name)}\n((   .*)?\n)*", lambda _: entry, content)
    return replaced if count else content + entry


def _is_plain(content: str, entry: str) -> bool:
    """Return whether the file has stages only, each whole by itself, and the name of this one is on a line of its own.

    A tool that rewrote the file may have left YAML aliases, which refer from one stage to the lines of another.
    """
    stages_only = re.match(rf"{START}(  .*\n|\n)*\Z", content) is not None
    aliases = re.search(r"(?m)^ +(- |\S+: )?\*\w+$", content) is not None
    return stages_only and not aliases and entry.partition("\n")[0].endswith(":")


def _replace(file: Path, content: str) -> None:
    new = file.with_suffix(".lock.new")
    new.write_text(content, encoding="utf-8")
    new.replace(file)
