"""Differences between two states of a project."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.paths import ROOT
from support.projects import CLASSIFICATION, commit, edit, make_results
from support.reports import Report

from modelyard import params
from modelyard.core.config import flatten, read_yaml
from modelyard.core.files import read_json, write_json, write_text
from modelyard.reporting.changes import ProjectState, ValueChange, compare_states, with_other_settings

PROJECT = params.load(ROOT / "params.yaml")
NAMES = ["boston_mlp", "digits_cnn", "mnist_autoencoder"]
METRICS = st.dictionaries(
    st.sampled_from(["accuracy", "loss", "correlation", "mae", "mse", "r2"]), st.integers(-99, 99).map(float)
)
ENTRIES = st.fixed_dictionaries(
    {}, optional={name: st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)) for name in NAMES}
)

Rewrite = Callable[..., Report]


@st.composite
def states(draw: st.DrawFn) -> ProjectState:
    entries = draw(ENTRIES)
    metrics = {name: draw(METRICS) for name in entries}
    intervals = {name: {metric: (value - 1, value + 1) for metric, value in metrics[name].items()} for name in entries}
    settings = {"experiments": entries, "runtime": {"threads": draw(st.integers(1, 2))}}
    outputs = draw(
        st.dictionaries(st.sampled_from(["data/raw/a", "data/inputs/b/test", "results/c/model"]), st.just("1"))
    )
    verdicts = draw(st.dictionaries(st.just("claim"), st.sampled_from("xy")))
    return ProjectState(settings, metrics, intervals, outputs, {}, verdicts)


@given(states())
def test_a_state_does_not_differ_from_itself(state: ProjectState) -> None:
    assert not compare_states(PROJECT, state, state)


@given(states(), states())
def test_the_reverse_comparison_has_the_reverse_changes(one: ProjectState, other: ProjectState) -> None:
    there, back = compare_states(PROJECT, one, other), compare_states(PROJECT, other, one)
    assert (there.added, there.removed) == (back.removed, back.added)
    for name in ("settings", "data", "verdicts"):
        reversed_changes = [ValueChange(change.name, change.now, change.before) for change in getattr(back, name)]
        assert sorted(getattr(there, name), key=str) == sorted(reversed_changes, key=str)
    assert {(change.experiment, change.metric, not change.is_better) for change in there.metrics} == {
        (change.experiment, change.metric, change.is_better) for change in back.metrics
    }


@given(states(), states())
def test_a_changed_model_is_not_changed_data(one: ProjectState, other: ProjectState) -> None:
    assert not [change for change in compare_states(PROJECT, one, other).data if change.name.startswith("results/")]


@pytest.mark.parametrize(
    ("metric", "now", "is_better"),
    [("correlation", 9.0, True), ("mae", 9.0, False), ("mse", 1.0, True), ("r2", 1.0, False)],
)
def test_the_direction_of_the_metric_decides_what_is_better(metric: str, now: float, is_better: bool) -> None:
    before, after = (
        ProjectState(
            {"experiments": {"boston_mlp": {}}}, {"boston_mlp": {metric: value}}, {"boston_mlp": {}}, {}, {}, {}
        )
        for value in (5.0, now)
    )
    (change,) = compare_states(PROJECT, before, after).metrics
    assert (change.is_better, change.is_outside) == (is_better, True)


def test_settings_data_metrics_and_verdicts_are_compared_with_a_commit(project: Path, rewrite: Rewrite) -> None:
    edit(project / "params.yaml", "experiments", "boston_mlp", "training", "epochs", value=50)
    make_results(project, "digits_mlp", CLASSIFICATION)
    write_json(
        project / "results" / "boston_mlp" / "metrics.json", {"correlation": 0.8, "mae": 2.5, "mse": 20, "r2": 0.7}
    )
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    claims = read_json(project / "reports" / "claims.json")
    claims["claims"]["standardised"]["verdict"] = "does not hold"
    write_json(project / "reports" / "claims.json", claims)
    report = rewrite(against="HEAD")
    assert "boston_mlp correlation 0.85 0.8 worse , outside the earlier interval" in report.page.text
    assert "boston_mlp mae 3 2.5 better , outside the earlier interval" in report.page.text
    for row in (
        "| `boston_mlp` | correlation | 0.85 | 0.8 | worse, outside the earlier interval |",
        "| `experiments.boston_mlp.training.epochs` | 100 | 50 |",
        "| `data/raw/boston` | 0123456789abcdef0123456789abcdef.dir | fedcba9876543210fedcba9876543210.dir |",
        "| `standardised` | holds | does not hold |",
    ):
        assert row in report.summary
    assert "mae" not in report.summary.partition("## Results")[0], "only the headline metric in the summary"


def test_a_change_within_the_earlier_interval_is_not_outside(project: Path, rewrite: Rewrite) -> None:
    write_json(
        project / "results" / "boston_mlp" / "metrics.json", {"correlation": 0.855, "mae": 3, "mse": 20, "r2": 0.7}
    )
    assert "| `boston_mlp` | correlation | 0.85 | 0.855 | better |" in rewrite(against="HEAD").summary


def test_metrics_of_a_pretrained_experiment_are_compared(project: Path, rewrite: Rewrite) -> None:
    metrics = project / "pretrained" / "results" / "cifar10_vgg16" / "metrics.json"
    write_json(metrics, CLASSIFICATION | {"accuracy": 0.7})
    assert (
        "| `cifar10_vgg16` | accuracy | 0.9 | 0.7 | worse, outside the earlier interval |"
        in rewrite(against="HEAD").summary
    )


def test_published_values_and_claims_are_settings(project: Path, rewrite: Rewrite) -> None:
    edit(project / "published.yaml", "boston_mlp", "metrics", "mse", value=31.0)
    edit(project / "claims.yaml", "boston_standardised", "seeds", value=9)
    settings = rewrite(against="HEAD").contents.changes.settings
    assert settings == (
        ValueChange("published.boston_mlp.metrics.mse", 31.3058, 31.0),
        ValueChange("claims.boston_standardised.seeds", 10, 9),
    )


def test_a_commit_with_published_values_and_claims_in_params_yaml_is_compared(project: Path, rewrite: Rewrite) -> None:
    yaml = YAML(typ="safe")
    sections = {name: yaml.load(project / f"{name}.yaml") for name in ("published", "claims")}
    for entry in sections["published"].values():
        if "metrics" in entry:
            entry["figures"] = entry.pop("metrics")  # the key's name at that time
    for name, entries in sections.items():
        edit(project / "params.yaml", name, value=entries)
        (project / f"{name}.yaml").unlink()
    commit(project, "All settings in one file")
    for name in sections:
        edit(project / "params.yaml", name, value=None)
        shutil.copyfile(ROOT / f"{name}.yaml", project / f"{name}.yaml")
    edit(project / "published.yaml", "boston_mlp", "note", value="moved")
    assert rewrite(against="HEAD").contents.changes.settings == (
        ValueChange("published.boston_mlp.note", "raw features", "moved"),
    )


def test_added_and_removed_experiments_are_named_without_their_settings(project: Path, rewrite: Rewrite) -> None:
    edit(project / "published.yaml", "fashion_kernel_1", value=None)
    edit(project / "params.yaml", "experiments", "fashion_kernel_1", value=None)
    experiments = YAML(typ="safe").load(project / "params.yaml")["experiments"]
    edit(project / "params.yaml", "experiments", "boston_mlp_again", value=experiments["boston_mlp"])
    for name, claim in YAML(typ="safe").load(project / "claims.yaml").items():
        if "fashion_kernel_1" in (claim["first"]["experiment"], claim["second"]["experiment"]):
            edit(project / "claims.yaml", name, value=None)
    changed = rewrite(against="HEAD").summary.partition("## Results")[0]
    assert "New experiments: `boston_mlp_again`." in changed
    assert "Removed experiments: `fashion_kernel_1`." in changed
    assert "|" not in changed


def test_keys_that_are_not_valid_today_are_compared(project: Path, rewrite: Rewrite) -> None:
    edit(project / "params.yaml", "runtime", "long_forgotten", value=3)
    commit(project, "A key that was removed later")
    edit(project / "params.yaml", "runtime", "long_forgotten", value=None)
    assert "| `runtime.long_forgotten` | 3 | not set |" in rewrite(against="HEAD").summary


def test_a_claim_that_was_not_run_has_no_verdict(project: Path, rewrite: Rewrite) -> None:
    claims = read_json(project / "reports" / "claims.json")
    claims["claims"]["dropout"] = claims["claims"]["standardised"] | {"verdict": "not run"}
    write_json(project / "reports" / "claims.json", claims)
    assert not rewrite(against="HEAD").contents.changes


def test_an_invalid_file_of_the_commit_is_named_with_the_commit(project: Path, rewrite: Rewrite) -> None:
    metrics = project / "results" / "boston_mlp" / "metrics.json"
    content = metrics.read_text()
    write_text(metrics, "<<<<<<< HEAD\n")
    commit(project, "Conflict")
    write_text(metrics, content)
    text = rewrite(against="HEAD").page.text
    assert re.search(r"boston_mlp/metrics\.json of commit [0-9a-f]{10}, line 1: unresolved merge conflict", text)


@pytest.mark.parametrize(
    "change, is_other",
    [
        ({}, False),
        ({"note": "of no stage"}, False),
        ({"training": {"seed": 7}}, True),
        ({"training": {"learning_rate": 0.1}}, True),
        ({"input": "boston_standard"}, True),
    ],
)
def test_results_of_other_settings_than_those_of_params_yaml_are_told_apart(change: dict, is_other: bool) -> None:
    entry = read_yaml(ROOT / "params.yaml")["experiments"]["boston_mlp"]
    locked = flatten({"experiments": {"boston_mlp": entry}})
    now = entry | change | ({"training": entry["training"] | change["training"]} if "training" in change else {})
    state = ProjectState({"experiments": {"boston_mlp": now}}, {}, {}, {}, {"train@boston_mlp": locked}, {})
    assert list(with_other_settings(PROJECT, state)) == ["boston_mlp"] * is_other


@pytest.mark.parametrize("threads, others", [(4, set()), (8, {"boston_mlp", "mnist_transfer"})])
def test_results_of_another_runtime_are_told_apart(threads: int, others: set[str]) -> None:
    settings = read_yaml(ROOT / "params.yaml")
    locked = flatten(settings | {"runtime": settings["runtime"] | {"threads": threads}})
    stages = {"train@boston_mlp": locked, "train_transfer@mnist_transfer": locked}
    assert set(with_other_settings(PROJECT, ProjectState(settings, {}, {}, {}, stages, {}))) == others


@pytest.mark.parametrize(
    "section, key, others",
    [
        ("datasets", "task", {"boston_linear", "boston_mlp", "boston_mlp_minmax"}),
        ("inputs", "scaling", {"boston_linear", "boston_mlp"}),
    ],
)
def test_results_of_other_data_settings_are_told_apart(section: str, key: str, others: set[str]) -> None:
    settings = read_yaml(ROOT / "params.yaml")
    entry = settings[section]["boston"] | {key: "another"}
    before = flatten(settings | {section: settings[section] | {"boston": entry}})
    stages = {f"normalise@{name}": before for name in ("boston", "boston_minmax", "digits")}
    marked = set(with_other_settings(PROJECT, ProjectState(settings, {}, {}, {}, stages, {})))
    assert others <= marked
    assert all(name.startswith("boston_") for name in marked)


def test_results_from_a_backbone_of_other_settings_are_told_apart() -> None:
    settings = read_yaml(ROOT / "params.yaml")
    experiments = settings["experiments"]
    before = experiments["digits_cnn"] | {"training": experiments["digits_cnn"]["training"] | {"seed": 1}}
    locked = {"train@digits_cnn": flatten({"experiments": {"digits_cnn": before}})}
    state = ProjectState(settings, {}, {}, {}, locked, {})
    assert set(with_other_settings(PROJECT, state)) == {"digits_cnn", "mnist_5k_transfer"}


def test_the_report_and_the_card_say_so(project: Path, rewrite: Rewrite) -> None:
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text() + "    params: {params.yaml: {experiments.boston_mlp.training: {seed: 1}}}\n")
    report = rewrite()
    assert "of other settings than params.yaml has now" in report.page.text
    assert "are of other settings than these" in (project / "results" / "boston_mlp" / "card.md").read_text()
    assert "are of other settings than these" not in (project / "results" / "digits_cnn" / "card.md").read_text()
