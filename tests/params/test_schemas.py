"""The JSON Schemas that editors use."""

import json

import pytest
from support.paths import ROOT

from modelyard.params.schemas import ROOT_TYPES, json_schema


@pytest.mark.parametrize("file", ROOT_TYPES)
def test_the_committed_schema_is_up_to_date(file: str):
    committed = json.loads((ROOT / f"{file}.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(file), "run `make schema`"


@pytest.mark.parametrize("file", ROOT_TYPES)
def test_the_file_names_its_schema_for_editors(file: str):
    first_line = (ROOT / f"{file}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first_line == f"# yaml-language-server: $schema={file}.schema.json"
