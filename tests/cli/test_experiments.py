"""`modelyard experiments`."""

from pathlib import Path

from ruamel.yaml import YAML
from support.commands import modelyard
from support.projects import REGRESSION, make_results


def test_experiments_of_every_section_are_listed_with_their_headline_metric(project: Path):
    make_results(project, "boston_mlp", REGRESSION)
    output = modelyard("experiments", columns=80).output
    listed = {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}
    params = YAML(typ="safe").load(project / "params.yaml")
    assert {*params["experiments"], *params["transfers"], *params["pretrained"]} <= set(listed)
    assert listed["boston_mlp"] == ["boston", "mlp", "correlation", "0.85"]
    assert listed["mnist_transfer"] == ["mnist", "transfer", "not", "built", "yet"]
