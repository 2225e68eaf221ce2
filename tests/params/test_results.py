"""The stages and folders of an experiment's results are those of dvc.yaml."""

from collections.abc import Callable

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from modelyard.params.project import EXPERIMENT_SECTIONS
from modelyard.params.results import evaluate_stage, train_stage


@pytest.mark.parametrize("stage_of", [train_stage, evaluate_stage])
@pytest.mark.parametrize("section", EXPERIMENT_SECTIONS)
def test_each_section_of_experiments_has_its_stages_in_dvc_yaml(section: str, stage_of: Callable[[str, str], str]):
    file, _, name = stage_of(section, "x").rpartition(":")
    stages = YAML(typ="safe").load(ROOT / (file or "dvc.yaml"))["stages"]
    assert stages[name.removesuffix("@x")]["foreach"] == f"${{{section}}}"
