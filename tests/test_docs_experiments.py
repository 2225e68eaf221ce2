"""docs/experiments.md names every model family with all of its settings, and its examples are those of params.yaml."""

import re
from typing import get_args

import pytest
from ruamel.yaml import YAML
from support.paths import PARAMS, ROOT

from modelyard import models
from modelyard.params.results import evaluate_stage, train_stage

PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, flags=re.MULTILINE))
SETTINGS = {
    get_args(settings.model_fields["family"].annotation)[0]: settings
    for settings in get_args(get_args(models.ModelSettings)[0])
}


def shown() -> dict[str, dict]:
    """The entries of its examples, by section."""
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    return {section: entries for text in examples for section, entries in YAML(typ="safe").load(text).items()}


def test_every_family_has_a_row():
    assert ROWS.keys() == SETTINGS.keys()


@pytest.mark.parametrize("family", sorted(SETTINGS.keys() - {"cnn"}))
def test_a_row_names_every_setting(family: str):
    named = set(re.findall(r"`(\w+)`", ROWS[family].rpartition("|")[2]))
    assert named == SETTINGS[family].model_fields.keys() - {"family"}


def test_its_examples_are_entries_of_params_yaml():
    given = YAML(typ="safe").load(PARAMS)
    for section, entries in shown().items():
        for name, entry in entries.items():
            assert given[section][name] == entry


def test_the_stages_of_its_transfer_are_named():
    (transfer,) = shown()["transfers"]
    assert f"`{train_stage('transfers', transfer)}` and `{evaluate_stage('transfers', transfer)}`" in PAGE
