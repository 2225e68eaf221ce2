"""Runs over seeds: done once, kept whole, begun anew where settings change, and summed up beside what was published."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from modelyard import params
from modelyard.core.files import read_json
from modelyard.data import inputs
from modelyard.models import Runtime
from modelyard.orchestration import process_pool
from modelyard.params.project import Project
from modelyard.params.variants import resolve
from modelyard.replication import series, single_run
from modelyard.replication.series import Series

LONG = 300.0  # seconds


def table() -> str:
    """120 rows of two columns and a target on a line, with noise."""
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 2))
    y = x @ [2.0, -1.0] + random.normal(scale=0.5, size=120)
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv(index=False)


PARAMS = {
    "datasets": {
        "line": {
            "reader": "table", "task": "regression", "description": "Made up.", "target": "y",
            "files": {"line.csv": {"text": table()}},
        }
    },
    "inputs": {
        "line": {
            "dataset": "line", "split": {"test": 0.25, "test_seed": 1, "validation": 0.2}, "scaling": "standard",
        }
    },
    "experiments": {
        "linear": {"input": "line", "model": {"family": "linear"}, "training": {"seed": 7}},
        "boosting": {
            "input": "line", "model": {"family": "boosting", "trees": 5, "subsample": 0.5}, "training": {"seed": 7},
        },
        "network": {
            "input": "line", "model": {"family": "mlp", "units": [4]},
            "training": {"seed": 7, "epochs": 2, "loss": "mse"},
        },
    },
    "published": {"boosting": {"notebook": "1", "figures": {"mae": 0.0}}},
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    YAML().dump(PARAMS, tmp_path / "params.yaml")
    (tmp_path / "raw" / "line").mkdir(parents=True)
    (tmp_path / "raw" / "line" / "line.csv").write_text(table())
    return params.load(tmp_path / "params.yaml")


def series_of(project: Project, name: str, splits: bool = False, **changes: object) -> Series:
    return Series(name, resolve(project, name, changes), project.runtime, splits)


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run what is missing, in this process; returns the runs that were told of."""
    here = lambda work, jobs, count, seconds: (process_pool.Outcome(job, work(job)) for job in jobs)  # noqa: E731
    monkeypatch.setattr(series, "outcomes", here)

    def run(wanted: list) -> list[process_pool.Outcome]:
        jobs = series.missing_jobs(wanted, tmp_path / "kept")
        return list(series.run_jobs(jobs, tmp_path / "raw", 1, LONG))

    return run


def test_each_seed_of_an_experiment_is_run_and_kept_once(project, run_here, tmp_path):
    boosting = series_of(project, "boosting")
    told = run_here([(boosting, 3)])
    assert sorted(each.job.resolved.seed for each in told) == [7, 8, 9]
    kept = boosting.runs(tmp_path / "kept")
    assert sorted(kept) == [7, 8, 9]
    assert len({figures["mae"] for figures in kept.values()}) == 3
    assert run_here([(boosting, 3)]) == []
    assert [each.job.resolved.seed for each in run_here([(boosting, 4)])] == [10]


def test_a_changed_setting_or_runtime_begins_anew_and_a_changed_description_does_not(project):
    boosting = series_of(project, "boosting")
    assert series_of(project, "boosting", **{"model.trees": 6}).key != boosting.key
    assert series_of(project, "boosting", scaling="minmax").key != boosting.key
    assert series_of(project, "boosting", splits=True).key != boosting.key
    assert Series("boosting", boosting.resolved, Runtime(threads=2)).key != boosting.key
    entry = project.datasets["line"].model_copy(update={"description": "Otherwise told."})
    renamed = project.model_copy(update={"datasets": {"line": entry}})
    assert series(renamed, "boosting").key == boosting.key


def test_other_code_begins_anew(project, monkeypatch):
    before = series_of(project, "boosting").key
    monkeypatch.setattr(series, "code", lambda: {"models/boosting.py": "edited"})
    assert series_of(project, "boosting").key != before


def test_a_run_of_every_series_comes_before_the_second_of_any(project, tmp_path):
    jobs = series.missing_jobs([(series_of(project, "boosting"), 2), (series_of(project, "linear"), 2)], tmp_path)
    assert [job.resolved.seed for job in jobs] == [7, 7, 8, 8]
    assert {job.experiment for job in jobs[:2]} == {"boosting", "linear"}


def test_a_run_that_two_claims_share_is_done_once(project, tmp_path):
    assert len(series.missing_jobs([(series_of(project, "linear"), 2), (series_of(project, "linear"), 3)], tmp_path)) == 3


def test_figures_are_those_of_the_pipeline_on_the_same_rows(project, run_here, tmp_path):
    from sklearn.linear_model import LinearRegression

    run_here([(series_of(project, "linear"), 1)])
    (figures,) = series_of(project, "linear").runs(tmp_path / "kept").values()
    raw = pd.read_csv(tmp_path / "raw" / "line" / "line.csv").to_numpy()
    order = np.arange(120)
    np.random.RandomState(1).shuffle(order)
    training, validation, test = np.split(raw[order], [72, 90])
    fitted = LinearRegression().fit(training[:, :2], training[:, 2])
    errors = {
        name: rows[:, 2] - fitted.predict(rows[:, :2])
        for name, rows in zip("abc", (training, validation, test), strict=True)
    }
    assert figures["mae"] == pytest.approx(np.abs(errors["c"]).mean())
    assert figures["val_mae"] == pytest.approx(np.abs(errors["b"]).mean())
    assert figures["gap"] == pytest.approx(np.square(errors["b"]).mean() - np.square(errors["a"]).mean())


def test_with_splits_a_model_without_chance_has_other_test_rows_each_time(project, run_here, tmp_path):
    run_here([(series_of(project, "linear"), 3), (series_of(project, "linear", splits=True), 3)])
    fixed, drawn = (series_of(project, "linear", splits).runs(tmp_path / "kept").values() for splits in (False, True))
    assert len({figures["mae"] for figures in fixed}) == 1
    assert len({figures["mae"] for figures in drawn}) == 3
    assert next(iter(fixed)) == next(iter(drawn))  # the first seeds are those of params.yaml


def test_the_summary_places_the_published_figure_among_the_runs(project, run_here, tmp_path):
    run_here([(series_of(project, "boosting"), 4)])
    kept = series_of(project, "boosting").runs(tmp_path / "kept").values()
    errors = np.array([figures["mae"] for figures in kept])
    found = series.summary(project, tmp_path / "kept").set_index("metric")
    row = found.loc["mae"]
    assert set(found.experiment) == {"boosting"}
    assert (row.seeds, row.least, row.most) == (4, errors.min(), errors.max())
    assert row["mean"] == pytest.approx(errors.mean())
    assert row.z == pytest.approx((0 - errors.mean()) / errors.std(ddof=1))
    assert row.inside is False
    assert series.published_text(row) == f"0 outside, z {row.z:+.1f}"
    assert series.published_text(found.loc["r2"]) == ""


def test_one_run_alone_has_no_interval_and_no_z(project, run_here, tmp_path):
    run_here([(series_of(project, "boosting"), 1)])
    row = series.summary(project, tmp_path / "kept").set_index("metric").loc["mae"]
    assert pd.isna([row.sd, row.low, row.high, row.z]).all()


def test_a_failing_run_keeps_nothing_and_is_tried_again(project, tmp_path, monkeypatch):
    def failing(work, jobs, count, seconds):
        return (process_pool.Outcome(job, error="ValueError: no") for job in jobs)

    monkeypatch.setattr(series, "outcomes", failing)
    wanted = [(series_of(project, "linear"), 2)]
    jobs = series.missing_jobs(wanted, tmp_path / "kept")
    assert [each.error for each in series.run_jobs(jobs, tmp_path / "raw", 1, LONG)] == ["ValueError: no"] * 2
    assert series.missing_jobs(wanted, tmp_path / "kept") == jobs
    assert not (tmp_path / "kept").exists()


def test_rows_are_prepared_once_for_each_input_and_go_when_all_is_done(project, tmp_path):
    jobs = series.missing_jobs([(series_of(project, "linear"), 2), (series_of(project, "boosting"), 2)], tmp_path)
    with single_run.prepared_inputs(jobs, tmp_path / "raw") as ready:
        (folder,) = {folder for each in ready for folder in each.rows.values()}
        assert len(inputs.load_training(folder / "training").rows) == 90
    assert not folder.exists()


def test_a_network_in_a_worker_gives_the_same_figures_whatever_ran_before_it(project, tmp_path):
    network, other = series_of(project, "network"), series_of(project, "network", **{"model.units": (3,)})
    for folder, wanted in (("alone", [(network, 1)]), ("after", [(other, 1), (network, 1)])):
        jobs = series.missing_jobs(wanted, tmp_path / folder)
        told = list(series.run_jobs(jobs, tmp_path / "raw", 1, LONG))
        assert [each.error for each in told] == [""] * len(wanted)
    alone, after = (network.runs(tmp_path / folder)[7] for folder in ("alone", "after"))
    assert alone == after
    assert {"mae", "val_mae", "gap"} <= alone.keys()
    content = read_json(network.job(0, tmp_path / "alone").file)
    assert (content["experiment"], content["seed"], content["epochs"]) == ("network", 7, 2)
