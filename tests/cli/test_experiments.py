"""`modelyard experiments`."""

import re
from pathlib import Path

from ruamel.yaml import YAML
from support.commands import modelyard, table_row
from support.projects import CLASSIFICATION, REGRESSION, make_results
from support.tables import assert_whole_words


def test_experiments_of_every_section_are_listed_with_their_headline_metric(project: Path):
    make_results(project, "boston_mlp", REGRESSION)
    output = modelyard("experiments", columns=80).output
    assert_whole_words(output, modelyard("experiments").output)
    listed = {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}
    params = YAML(typ="safe").load(project / "params.yaml")
    assert {*params["experiments"], *params["transfers"], *params["pretrained"]} <= set(listed)
    assert listed["boston_mlp"] == ["mlp", "correlation", "0.85", "yes"]
    assert "not built here" not in output
    assert listed["mnist_transfer"] == ["transfer", "not", "built", "yet"]
    assert list(listed).index("boston") < list(listed).index("boston_mlp") < list(listed).index("diabetes")


def test_results_that_were_not_built_here_or_are_of_another_task_have_a_remark(project: Path):
    make_results(project, "boston_mlp", REGRESSION, is_built=False)
    make_results(project, "boston_linear", CLASSIFICATION)
    result = modelyard("experiments")
    assert result.exit_code == 0
    assert table_row(result.output, "boston_mlp ").split()[2:] == ["correlation", "0.85", "no"]
    assert re.search(r"\n1 of \d+: from the repository, not built here\.\n", result.output)
    assert "result not readable" in table_row(result.output, "boston_linear ")
    reason = table_row(result.output, "boston_linear: ")
    assert "results/boston_linear/metrics.json has loss, accuracy, macro_f1, but not correlation" in reason
    assert "To build it again: modelyard run boston_linear" in reason
