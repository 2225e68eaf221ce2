"""Everything that writes or reads MLflow runs. Files are the truth, MLflow is the record of them."""

from modelyard.tracking.environment import tags_of_place
from modelyard.tracking.failsafe import FailsafeRun, NoRun
from modelyard.tracking.run import MlflowRun, Run, completed_run, evaluation_run, training_run
from modelyard.tracking.store import MLFLOW_EXPERIMENT, connect, is_on, root, store, store_to_show, without_password

__all__ = [
    "MLFLOW_EXPERIMENT",
    "FailsafeRun",
    "MlflowRun",
    "NoRun",
    "Run",
    "completed_run",
    "connect",
    "evaluation_run",
    "is_on",
    "root",
    "store",
    "store_to_show",
    "tags_of_place",
    "training_run",
    "without_password",
]
