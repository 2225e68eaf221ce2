"""Model archives whose bytes depend on the model alone: without dates and memory addresses."""

import json
from pathlib import Path
from typing import Any

from modelyard.core.files import read_zip, write_zip

DATES = {"date_saved"}
ADDRESSES = {"shared_object_id", "__id__"}  # of Keras and of skops: both write the object's memory address


def make_stable(path: Path) -> None:
    """Rewrite a .keras or .skops archive: addresses become 0, 1, ... in order of appearance, dates null."""
    content = read_zip(path)
    numbers: dict[int, int] = {}
    documents = {name: json.loads(value) for name, value in content.items() if name.endswith(".json")}
    for name in sorted(documents):
        _normalize(documents[name], numbers)
        content[name] = json.dumps(documents[name], indent=1).encode()
    write_zip(path, {_renamed(name, numbers): value for name, value in content.items()})


def _normalize(node: Any, numbers: dict[int, int]) -> None:
    if isinstance(node, list):
        for item in node:
            _normalize(item, numbers)
    if not isinstance(node, dict):
        return
    for key in ADDRESSES & node.keys():
        node[key] = numbers.setdefault(node[key], len(numbers))
    for key in DATES & node.keys():
        node[key] = None
    if isinstance(node.get("file"), str):  # skops names an array's file by the array's address
        node["file"] = _renamed(node["file"], numbers)
    for value in node.values():
        _normalize(value, numbers)


def _renamed(file: str, numbers: dict[int, int]) -> str:
    stem, dot, ending = file.partition(".")
    return f"{numbers[int(stem)]}{dot}{ending}" if stem.isdecimal() and int(stem) in numbers else file
