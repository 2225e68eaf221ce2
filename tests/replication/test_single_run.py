"""One run: the metrics of the pipeline, from inputs that are prepared once and deleted."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from support.replications import NO_LIMIT, series_of

from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json
from modelyard.data import inputs
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.replication import series, single_run


def test_the_metrics_are_those_of_scikit_learn_on_the_same_samples(project, run_here, kept, tmp_path):
    run_here([(series_of(project, "linear"), 1)])
    (values,) = series_of(project, "linear").metrics(kept).values()
    raw = pd.read_csv(tmp_path / "raw" / "line" / "line.csv").to_numpy()
    order = np.arange(120)
    np.random.RandomState(1).shuffle(order)
    training, validation, test = np.split(raw[order], [72, 90])
    fitted = LinearRegression().fit(training[:, :2], training[:, 2])
    errors = {
        name: part[:, 2] - fitted.predict(part[:, :2])
        for name, part in {"training": training, "validation": validation, "test": test}.items()
    }
    assert values["mae"] == pytest.approx(np.abs(errors["test"]).mean())
    assert values["val_mae"] == pytest.approx(np.abs(errors["validation"]).mean())
    mse = {name: np.square(error).mean() for name, error in errors.items()}
    assert values["gap"] == pytest.approx(mse["validation"] - mse["training"])


def test_a_network_that_diverges_is_a_result_without_a_finite_metric(project, kept, tmp_path, run_here):
    rate = {"training.optimizer": "sgd", "training.learning_rate": 1e30, "training.epochs": 2}
    diverging = replace(series_of(project, "network", **rate), keeps_predictions=True)
    (outcome,) = run_here([(diverging, 1)])
    assert outcome.error == ""
    assert "training has diverged. Give training.learning_rate a smaller value" in outcome.result["diverged"]
    assert np.isnan(diverging.metrics(kept)[7]["correlation"])
    assert run_here([(diverging, 1)]) == [], "it is not tried again, although a crossed claim would need predictions"
    with single_run.prepared_inputs([diverging.job(0, kept)], tmp_path / "raw") as (prepared,):
        on_validation = single_run.train_and_validate(prepared, 3, 0)
    assert list(on_validation["metrics"]) == ["val_loss"]
    assert np.isnan(on_validation["metrics"]["val_loss"])


def test_another_error_of_a_training_is_an_error(project, run_here):
    settings = {"training.early_stopping": {"patience": 1, "monitor": "val_loss"}, "split.validation": 0.0}
    with pytest.raises(ModelyardError, match="early_stopping need validation samples"):
        run_here([(series_of(project, "network", **settings), 1)])


def test_each_input_is_prepared_once_and_deleted_at_the_end(project, kept, tmp_path):
    wanted = [(series_of(project, "linear"), 2), (series_of(project, "boosting"), 2)]
    with single_run.prepared_inputs(series.missing_jobs(wanted, kept), tmp_path / "raw") as prepared:
        (folder,) = {job.folder(job.job.resolved) for job in prepared}
        training = inputs.load_training(folder / "training")
        assert len(training.training) + len(training.validation) == 90
    assert not folder.exists()


def test_a_data_set_that_is_read_in_two_ways_is_prepared_twice(project, kept, tmp_path):
    wanted = [(series_of(project, "linear"), 1), (series_of(project, "linear", **{"dataset.target": "a"}), 1)]
    with single_run.prepared_inputs(series.missing_jobs(wanted, kept), tmp_path / "raw") as prepared:
        folders = [job.folder(job.job.resolved) for job in prepared]
        targets = [inputs.load_training(folder / "training").samples.y for folder in folders]
    assert len(set(folders)) == 2
    assert not np.array_equal(*targets)


def test_a_run_reads_the_data_sets_of_its_experiment_and_of_its_backbone(project, kept):
    job = series_of(project, "network").job(0, kept)
    assert job.datasets == {"line"}
    other = job.resolved.input.model_copy(update={"dataset": "circle"})
    transfer = replace(job.resolved, backbone=replace(job.resolved, input=other))
    assert replace(job, resolved=transfer).datasets == {"line", "circle"}


@pytest.mark.slow
def test_a_network_has_the_same_metrics_whatever_its_worker_ran_before(project, tmp_path):
    network, other = series_of(project, "network"), series_of(project, "network", **{"model.units": (3,)})
    for folder, wanted in (("alone", [(network, 1)]), ("after", [(other, 1), (network, 1)])):
        jobs = series.missing_jobs(wanted, tmp_path / folder)
        with closing(LocalEngine(1)) as engine:
            events = list(series.run_jobs(jobs, tmp_path / "raw", engine, NO_LIMIT))
        assert events[::2] == jobs, "each begins, and ends before the next"
        assert [outcome.error for outcome in events[1::2]] == [""] * len(wanted)
    alone, after = (network.metrics(tmp_path / folder)[7] for folder in ("alone", "after"))
    assert alone == after
    assert {"mae", "val_mae", "gap"} <= alone.keys()
    content = read_json(network.job(0, tmp_path / "alone").file)
    assert (content["experiment"], content["seed"], content["epochs"]) == ("network", 7, 2)


def test_the_code_whose_change_invalidates_runs_exists():
    files = single_run.code_checksums()
    assert {"data/splits.py", "models/families/mlp.py", "replication/single_run.py"} <= files.keys()
