"""Entries of params.yaml, published.yaml and claims.yaml as text: lines are added, every other byte is kept."""

import re
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from modelyard.core.config import is_plain, read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file
from modelyard.params.checks import load, load_claims, load_published

LINE_WIDTH, INDENT = 118, "  "  # of an entry before it is indented within its section
CHECKS = {"published.yaml": load_published, "claims.yaml": load_claims}  # of the files beside params.yaml
BLOCK_STYLES = ("|", ">")


class _OneLineKeys(Emitter):
    """Writes keys of more than 128 characters, or with a line break, as all others: `? key` ends no line of a block."""

    def check_simple_key(self) -> bool:
        super().check_simple_key()
        return True


def as_yaml(content: Mapping[str, Any], indent: str = "", width: int = LINE_WIDTH) -> str:
    """Return settings as YAML, each group in one line where it fits."""
    lines = []
    for key, value in content.items():
        line = indent + _in_one_line(key, value)
        if isinstance(value, dict) and len(line) > width:
            line = f"{indent}{_in_one_line(key, {}).removesuffix(' {}')}\n{as_yaml(value, indent + INDENT, width)}"
        lines.append(line)
    return "\n".join(lines)


def add_entry(text: str, section: tuple[str, ...], name: str, entry: str, beneath: str = "") -> str:
    """Return a file's text with an entry of a section, in place of one of the same name where there is one.

    Args:
        text: the text of the file.
        section: the keys that lead to the section; none for the whole file.
        name: the key of the entry.
        entry: the entry as YAML, its name included.
        beneath: the entry after which it stands; by default after the last one, and an empty line.
    """
    lines = text.removesuffix("\n").split("\n")
    section_key, entries = _find(text, section)
    keys = {key.value: (key, value) for key, value in entries.value}
    if not keys:  # written as {}
        line = lines[section_key.start_mark.line]
        lines[section_key.start_mark.line] = re.sub(r":\s*\{\s*\}", ":", line, count=1)
        first = last = section_key.start_mark.line + 1
        indent = INDENT * len(section)
    else:
        key, value = keys.get(name) or keys[beneath or list(keys)[-1]]
        last = _last_line(key, value, lines) + 1
        first = key.start_mark.line if name in keys else last
        indent = " " * key.start_mark.column
        entry = entry if beneath or name in keys else f"\n{entry}"
    added = [(indent + line).rstrip() for line in entry.split("\n")]
    return "\n".join([*lines[:first], *added, *lines[last:]]) + "\n"


def replace_value(text: str, keys: tuple[str, ...], value: str) -> str:
    """Return a file's text with another plain value at the end of `keys`."""
    _, node = _find(text, keys)
    lines = text.split("\n")
    start, end = node.start_mark, node.end_mark
    lines[start.line : end.line + 1] = [lines[start.line][: start.column] + value + lines[end.line][end.column :]]
    return "\n".join(lines)


def write_checked(texts: Mapping[Path, str], expected: Mapping[Path, Any], what: str, entry: str) -> None:
    """Write the new texts of params.yaml and, if given after it, published.yaml and claims.yaml.

    Raises:
        ModelyardError: a text does not hold what is expected, or does not pass the checks of its file; nothing was
            written. The message names `what` and has the entry.
    """
    with TemporaryDirectory() as folder:
        drafts = {path: Path(folder, path.name) for path in texts}
        for path, draft in drafts.items():
            draft.write_text(texts[path], encoding="utf-8")
        try:
            for path, draft in drafts.items():
                if read_yaml(draft) != expected[path]:
                    raise ModelyardError(f"{path.name} is not written with one entry per line: add the entry yourself.")
            params_draft, *others = drafts.values()
            project = load(params_draft)
            for draft in others:
                CHECKS[draft.name](project, draft)
        except ModelyardError as error:
            message = str(error).replace(f"{folder}/", "")
            unchanged = f"{' and '.join(path.name for path in texts)} unchanged"
            raise ModelyardError(f"{what} was not written; {unchanged}.\n{message}\n{entry}".rstrip()) from None
    for path, text in texts.items():
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline=_line_end(path))
            if path.exists():
                temporary.chmod(path.stat().st_mode)


def _line_end(path: Path) -> str:
    """The line end of a file, by its first line."""
    if not path.exists():
        return "\n"
    with path.open("rb") as file:
        return "\r\n" if file.readline().endswith(b"\r\n") else "\n"


def _find(text: str, keys: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the key and the value that keys lead to."""
    key, node = None, YAML().compose(text)
    for name in keys:
        key, node = next((key, value) for key, value in node.value if key.value == name)
    return key, node


def _last_line(key: Node, value: Node, lines: Sequence[str]) -> int:
    """The line that an entry ends on; the end mark of a block is behind the comments and empty lines after it."""
    first: int = key.start_mark.line
    last: int = value.end_mark.line
    if isinstance(value, MappingNode) and not value.flow_style and value.value:
        last_key, last_value = value.value[-1]
        return max(first, _last_line(last_key, last_value, lines))  # an alias has the marks of what it stands for
    if isinstance(value, SequenceNode) and not value.flow_style and value.value:
        return max(first, _last_line(key, value.value[-1], lines))
    if isinstance(value, ScalarNode) and value.style in BLOCK_STYLES:
        margin = " " * (key.start_mark.column + 1)
        last = max(number for number in range(first, last) if number == first or lines[number].startswith(margin))
    return max(first, last)


def _in_one_line(key: str, value: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style, yaml.width, yaml.Emitter = True, sys.maxsize, _OneLineKeys
    stream = StringIO()
    yaml.dump({key: _quoted(value)}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")


def _quoted(value: Any) -> Any:
    """Settings with quotes around every text that is not plain words."""
    if isinstance(value, dict):
        return {key: _quoted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(each) for each in value]
    return value if not isinstance(value, str) or is_plain(value) else DoubleQuotedScalarString(value)
