"""The winner of a study, written into params.yaml: lines are added, every other byte is kept."""

from pathlib import Path
from typing import Any

from optuna import Study
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from modelyard import params
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file
from modelyard.tuning.winner import Winner, as_yaml, winner


def apply(study: Study, file: Path = Path("params.yaml"), replace: bool = False) -> str:
    """Write the best trial of a study into `file` as `<experiment>_tuned`, beneath its experiment.

    Returns the entry's name. An entry that is there already with equal values is left as it is.

    Raises:
        ModelyardError: there is no winner, the name is taken by other values (without `replace`), or what would be
            written does not pass the checks of params.yaml; the file is then as it was.
    """
    won = winner(study, file)
    before = read_yaml(file)
    there = before[won.section].get(won.name)
    if there == won.settings:
        return won.name
    if there is not None and not replace:
        raise ModelyardError(
            f"{file.name} has an experiment {won.name} with other values. Replace it with "
            f"`modelyard tune {won.study} --apply --replace`, or rename that entry."
        )
    _write(file, won, before)
    return won.name


def _write(file: Path, won: Winner, before: dict[str, Any]) -> None:
    text = _spliced(file.read_text(encoding="utf-8"), won.section, won, won.text)
    after = {**before, won.section: {**before[won.section], won.name: won.settings}}
    if won.experiment in before.get("published", {}):
        said = _published(won, before["published"][won.experiment])
        text = _spliced(text, "published", won, as_yaml({won.name: said}))
        after["published"] = {**before["published"], won.name: said}
    with atomic_file(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(file.stat().st_mode)
        _check(temporary, file, after, won)


def _published(won: Winner, of_experiment: dict[str, Any]) -> dict[str, str]:
    """What is said beside its figures: the notebook of its experiment, whose printed figures are not its own."""
    return {"notebook": of_experiment["notebook"], "note": won.note}


def _spliced(text: str, section: str, won: Winner, entry: str) -> str:
    """A file's text with an entry beneath its experiment, or in the place of the entry of its name."""
    lines = text.removesuffix("\n").split("\n")
    keys = {key.value: (key, value) for key, value in _section(text, section).value}
    key, value = keys[won.experiment]
    first = last = _last_line(key, value) + 1
    if won.name in keys:
        key, value = keys[won.name]
        first, last = key.start_mark.line, _last_line(key, value) + 1
    indent = " " * key.start_mark.column
    return "\n".join([*lines[:first], *(indent + line for line in entry.splitlines()), *lines[last:]]) + "\n"


def _section(text: str, section: str) -> MappingNode:
    return next(value for key, value in YAML().compose(text).value if key.value == section)


def _last_line(key: Node, value: Node) -> int:
    """The line that an entry ends on; a block's own end is that of the comments and empty lines after it."""
    if isinstance(value, MappingNode) and not value.flow_style and value.value:
        return max(key.start_mark.line, _last_line(*value.value[-1]))  # an alias has the marks of what it stands for
    if isinstance(value, SequenceNode) and not value.flow_style and value.value:
        return max(key.start_mark.line, _last_line(key, value.value[-1]))
    return max(key.start_mark.line, value.end_mark.line)


def _check(written: Path, file: Path, expected: dict[str, Any], won: Winner) -> None:
    """Refuse a file that does not say what it should, or that the settings do not allow."""
    try:
        if read_yaml(written) != expected:
            raise ModelyardError(f"{file.name}: section {won.section} is not written entry by entry.")
        params.load(written)
    except ModelyardError as error:
        told = str(error).replace(str(written), file.name).replace(written.name, file.name)
        raise ModelyardError(f"the winner does not fit; {file.name} is as it was.\n{told}\n{won.text}") from None
