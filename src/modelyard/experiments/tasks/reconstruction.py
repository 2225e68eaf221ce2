"""Reconstruction: each row again, after it was squeezed into a few codes."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modelyard import metrics
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import plots
from modelyard.experiments.tasks.judgement import Judgement, Pictures
from modelyard.models import Model
from modelyard.models.engine.keras_model import ask

CHUNK = 4096  # rows scaled at a time
SHOWN = 10  # originals over their reconstructions
DRAWN, COLUMNS = 1000, 40  # made-up images
LEAST_VARIANCE = 1e-6  # of a code: one that is the same for every row would have none, and no Gaussian


def judge(model: Model, test: Samples, outputs: np.ndarray) -> Judgement:
    """The error of each restored row, in scaled units."""
    scaler = model.description.scaler
    mean = scaler.apply(test.x.mean(axis=0, dtype=np.float64)[np.newaxis])
    chunks = [
        metrics.reconstruction_columns(
            scaler.apply(test.x[start : start + CHUNK]), outputs[start : start + CHUNK], mean
        )
        for start in range(0, len(test), CHUNK)
    ]
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return Judgement(model, test, outputs, pd.DataFrame(columns), metrics.bound_metrics("reconstruction", columns))


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """Of images: originals over reconstructions, and images that never were."""
    description = judgement.model.description
    if len(description.shape) != 3:
        return {}
    originals = description.scaler.apply(judgement.test.x[:SHOWN])
    return {
        "reconstructions.png": plots.reconstructions(originals, judgement.outputs[:SHOWN]),
        "made_up.png": _made_up(judgement.model, training, description),
    }


def _made_up(model: Model, training: TrainingInput, description: InputDescription) -> Figure:
    """Decoded codes that are drawn from a Gaussian with the mean and covariance of the training rows' codes."""
    codes = ask(model.parts["encoder"], np.asarray(training.training.x, dtype=description.network_dtype))
    covariance = np.atleast_2d(np.cov(codes, rowvar=False)) + LEAST_VARIANCE * np.eye(codes.shape[1])
    random = np.random.default_rng(0)
    drawn = random.multivariate_normal(codes.mean(axis=0), covariance, size=DRAWN, method="cholesky")
    return plots.image_grid(ask(model.parts["decoder"], drawn.astype(np.float32)), COLUMNS)
