"""The page of MLflow's UI that shows a project's runs: a saved view with useful columns, and a description."""

import json
import time
from collections.abc import Sequence
from typing import Any

from modelyard.tracking.descriptions import NOTE, PUBLISHED, RESULT
from modelyard.tracking.store import connect, explain_errors, mlflow_experiment

VIEW, VIEW_NAME = "modelyard", "Results"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"  # where MLflow's UI keeps a saved view
DURATION = "duration"
FIRST = {"attributes.`Run Name`": 140, "runDateAndNestInfo": 105}  # always there; by itself MLflow makes them wide
OPENING = "Each run is a training of an experiment"


def prepare(metrics: Sequence[str], has_published: bool, results: str) -> str:
    """Write the saved view and the description where they are missing or out of date.

    Without a saved view, MLflow's table of runs has no metrics; without the workflow in the address, MLflow opens the
    pages for language models.

    Args:
        metrics: the metrics to show as columns, the most important first.
        has_published: whether any run has a published value: MLflow has no column for a tag that no run has.
        results: the latest results in Markdown, for the description.

    Returns:
        The address of the page, to be appended to that of the server.

    Raises:
        ModelyardError: the store fails.
    """
    with explain_errors():
        connect()
        import mlflow

        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(mlflow_experiment())
        state = json.dumps(_state(metrics, has_published))
        if _saved_state(experiment.tags.get(VIEW_TAG, "")) != state:
            now = int(1000 * time.time())
            view = {"name": VIEW_NAME, "createdAt": now, "updatedAt": now, "state": state}
            client.set_experiment_tag(experiment.experiment_id, VIEW_TAG, json.dumps(view))
        description = f"{OPENING} of the project **{experiment.name}**. The latest results:\n\n{results}"
        present = experiment.tags.get(NOTE, "")
        if present != description and (not present or present.startswith(OPENING)):  # none that a person wrote
            client.set_experiment_tag(experiment.experiment_id, NOTE, description)
    page = f"/#/experiments/{experiment.experiment_id}/runs"
    return f"{page}?workflowType=machine_learning&viewStateShareKey={VIEW}"


def _state(metrics: Sequence[str], has_published: bool) -> dict[str, Any]:
    """The state of the table as MLflow's UI keeps it: columns by the ids that the UI gives them."""
    tags = {_column("tags", RESULT): 225} | ({_column("tags", PUBLISHED): 145} if has_published else {})
    numbers = {_column("metrics", f"test_{name}"): 95 for name in metrics}
    widths = FIRST | tags | {DURATION: 75} | numbers
    return {"selectedColumns": [*tags, *numbers], "columnOrder": list(widths), "columnWidths": widths}


def _column(group: str, name: str) -> str:
    return f"{group}.`{name}`"


def _saved_state(view: str) -> str:
    try:
        return str(json.loads(view)["state"])
    except (ValueError, KeyError, TypeError):
        return ""
