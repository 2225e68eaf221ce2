"""A small regression project to replicate, and its series."""

from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from modelyard import params
from modelyard.params.project import Project
from modelyard.params.variants import resolve
from modelyard.replication.series import Series

NO_LIMIT = 300.0  # seconds


def csv_table() -> str:
    """120 rows of two features and a target that is linear in them, with noise."""
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 2))
    y = x @ [2.0, -1.0] + random.normal(scale=0.5, size=120)
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_csv(index=False)


PARAMS = {
    "runtime": {}, "transfers": {}, "backbones": {}, "pretrained": {}, "studies": {}, "batches": {},
    "datasets": {
        "line": {
            "reader": "table", "task": "regression", "description": "Made up.", "target": "y",
            "files": {"line.csv": {"text": csv_table()}},
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
            "input": "line",
            "model": {"family": "boosting", "n_estimators": 5, "subsample": 0.5},
            "training": {"seed": 7},
        },
        "network": {
            "input": "line", "model": {"family": "mlp", "units": [4]},
            "training": {"seed": 7, "epochs": 2, "loss": "mse"},
        },
    },
}  # fmt: skip


def replicated_project(folder: Path) -> Project:
    """Write the project's params.yaml and raw files, and load its settings."""
    YAML().dump(PARAMS, folder / "params.yaml")
    (folder / "raw" / "line").mkdir(parents=True)
    (folder / "raw" / "line" / "line.csv").write_text(csv_table())
    return params.load(folder / "params.yaml")


def series_of(project: Project, experiment: str, splits: bool = False, **changes: object) -> Series:
    """An experiment of the project as a series."""
    return Series(experiment, resolve(project, experiment, changes), project.runtime, splits)
