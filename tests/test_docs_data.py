"""docs/data.md names every setting of an input and of its split."""

import re

import pytest
from support.paths import ROOT

from modelyard.data.inputs import InputSettings
from modelyard.data.splits import Split

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [InputSettings, Split], ids=lambda settings: settings.__name__)
def test_every_setting_is_named(settings):
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", PAGE.replace("```", "")))))
    assert settings.model_fields.keys() - named == set()
