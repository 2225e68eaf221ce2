"""What tuning gained, on made-up predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from support.paths import ROOT

from modelyard import params
from modelyard.experiments import gains
from modelyard.params.project import Project

TUNED = """
  digits_mlp_tuned:
    input: digits
    model: {family: mlp, units: [8]}
    training: {seed: 7, epochs: 1, batch_size: 8, loss: categorical_crossentropy}
  digits_mlp:
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The real params.yaml with a tuned experiment beside digits_mlp."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("\n  digits_mlp:\n", TUNED))
    return params.load(tmp_path / "params.yaml")


def predict(folder: Path, right: np.ndarray) -> None:
    """Predictions of class 1, right where they are said to be."""
    folder.mkdir(parents=True)
    truth = np.ones(len(right), dtype=int)
    columns = {"truth": truth, "prediction": np.where(right, 1, 2), "probability": 0.9, "loss": 0.1}
    pd.DataFrame(columns).to_csv(folder / "predictions.csv", index=False)


def test_the_gain_is_that_of_the_same_rows_with_the_interval_that_scipy_finds(project: Project, tmp_path: Path):
    random = np.random.default_rng(1)
    before = random.random(400) < 0.8
    after = before | (random.random(400) < 0.5)
    predict(tmp_path / "digits_mlp", before)
    predict(tmp_path / "digits_mlp_tuned", after)
    found = gains.gains(project, tmp_path)
    assert list(found) == ["digits_mlp"]
    gain = found["digits_mlp"]
    assert (gain.metric, gain.rows) == ("accuracy", 400)
    assert gain.gain == pytest.approx(after.mean() - before.mean())
    per_row = after.astype(float) - before.astype(float)
    expected = bootstrap((per_row,), np.mean, n_resamples=5000, method="percentile", rng=random).confidence_interval
    assert tuple(gain.interval) == pytest.approx(tuple(expected), abs=0.01)
    assert f"| `digits_mlp` | accuracy | {before.mean():.4g} | {after.mean():.4g} | +" in gains.markdown(found)


def test_without_both_predictions_no_gain_is_told(project: Project, tmp_path: Path):
    predict(tmp_path / "digits_mlp_tuned", np.ones(10, dtype=bool))
    assert gains.gains(project, tmp_path) == {}
    assert gains.markdown({}) == ""
