"""Writes and reads MLflow runs. Files are the truth, MLflow is the record of them."""

from modelyard.tracking.environment import environment_tags
from modelyard.tracking.failsafe import FailsafeRun, NullRun
from modelyard.tracking.run import MlflowRun, Run, backfill_run, evaluation_run, training_run
from modelyard.tracking.store import (
    check_address,
    connect,
    explain_errors,
    is_enabled,
    mask_password,
    masked_tracking_uri,
    mlflow_experiment,
    open_store,
    project_root,
    reason,
    report_relocation,
    tracking_uri,
)

__all__ = [
    "FailsafeRun",
    "MlflowRun",
    "NullRun",
    "Run",
    "backfill_run",
    "check_address",
    "connect",
    "environment_tags",
    "evaluation_run",
    "explain_errors",
    "is_enabled",
    "mask_password",
    "masked_tracking_uri",
    "mlflow_experiment",
    "open_store",
    "project_root",
    "reason",
    "report_relocation",
    "tracking_uri",
    "training_run",
]
