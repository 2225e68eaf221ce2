"""docs/training.md names every setting of a training and of a convolutional network, and its example is valid."""

import re

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from modelyard.models import NetworkTraining
from modelyard.models.engine.training_settings import (
    Augmentation,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    PlateauSchedule,
)
from modelyard.models.families import cnn
from modelyard.params.project import NetworkExperiment

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SETTINGS = (
    NetworkTraining, EarlyStopping, ConstantSchedule, CosineSchedule, PlateauSchedule, Augmentation, cnn.Settings
)  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_named(settings):
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert settings.model_fields.keys() - named == set()


def test_the_example_is_valid():
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    ((_, experiment),) = YAML(typ="safe").load(example).items()
    experiment["model"] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in experiment["model"].items()
    }
    assert NetworkExperiment.model_validate(experiment).training.schedule.kind == "cosine"
