"""docs/experiments.md names every model family with all of its settings, and its example is that of params.yaml."""

import re
from typing import get_args

import pytest
from ruamel.yaml import YAML
from support.paths import PARAMS, ROOT

from modelyard import models

PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, flags=re.MULTILINE))
FAMILIES = {
    settings.model_fields["family"].annotation: settings for settings in get_args(get_args(models.ModelSettings)[0])
}
SETTINGS = {get_args(family)[0]: settings for family, settings in FAMILIES.items()}


def test_every_family_has_a_row():
    assert ROWS.keys() == SETTINGS.keys()


@pytest.mark.parametrize("family", sorted(SETTINGS.keys() - {"cnn"}))
def test_a_row_names_every_setting(family: str):
    named = set(re.findall(r"`(\w+)`", ROWS[family].rpartition("|")[2]))
    assert named == SETTINGS[family].model_fields.keys() - {"family"}


def test_the_example_is_an_entry_of_params_yaml():
    (example,) = re.findall(r"```yaml\n(experiments:.*?)```", PAGE, flags=re.DOTALL)
    ((name, experiment),) = YAML(typ="safe").load(example)["experiments"].items()
    assert YAML(typ="safe").load(PARAMS)["experiments"][name] == experiment
