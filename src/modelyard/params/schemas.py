"""JSON Schemas of params.yaml, claims.yaml and published.yaml, with which editors complete and check these files."""

from typing import Any

from pydantic import TypeAdapter

from modelyard.params.claim import Claims
from modelyard.params.project import Project, Published

ROOT_TYPES: dict[str, Any] = {"params": Project, "claims": Claims, "published": Published}
"""The type of each file's content by the file's name without .yaml."""


def json_schema(file: str) -> dict[str, Any]:
    """The JSON Schema of one of the files of `ROOT_TYPES`."""
    return TypeAdapter(ROOT_TYPES[file]).json_schema()
