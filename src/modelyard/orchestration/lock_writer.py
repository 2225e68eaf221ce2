"""Writes a finished stage into dvc.lock with the same bytes as DVC.

DVC reads and writes the whole file for each stage, which takes 3 s with a hundred stages while all others wait for its
lock; and a process killed meanwhile leaves half a file. Here only the stage's own lines are replaced, atomically.
"""

from pathlib import Path
from typing import Any

from modelyard.core.files import write_text
from modelyard.orchestration.dvc_lock import START, entry_pattern, is_plain


def write_entry(stage: Any) -> None:
    """Write the entry of DVC's own stage into the dvc.lock beside its dvc.yaml, or into the .dvc file that it is of."""
    from dvc.stage import PipelineStage
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    if not isinstance(stage, PipelineStage):
        stage.dump(update_pipeline=False)
        return
    file = Path(stage.path).with_suffix(".lock")
    entry = dumps_yaml({"stages": to_lockfile(stage)}).removeprefix("stages:\n")
    content = file.read_text(encoding="utf-8") if file.exists() else START
    # The name of a stage may be on several lines, or be quoted there.
    if is_plain(content) and entry.partition("\n")[0].endswith(":"):
        write_text(file, with_entry(content, entry))
        stage.repo.scm_context.track_file(stage.repo.fs.relpath(str(file)))
    else:
        stage.dump(update_pipeline=False)


def with_entry(content: str, entry: str) -> str:
    """Return the text of a dvc.lock with one stage's lines replaced, or added if it has none."""
    replaced, count = entry_pattern(entry.partition("\n")[0]).subn(lambda _: entry, content)
    return replaced if count else content + entry
