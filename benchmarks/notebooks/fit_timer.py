"""Logs the duration of each keras.Model.fit, in the notebook scripts and in the measured clone of the project."""

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

VARIABLE = "BENCHMARK_LOG"  # names the file with a line of JSON for each fit and each metric


def append_json_line(**values: Any) -> None:
    """Append a line of JSON to the log."""
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def timed(fit: Callable) -> Callable:
    """Wrap `fit` to log its seconds, epochs and the script's first argument (in the pipeline, the experiment)."""

    @functools.wraps(fit)
    def timed_fit(*arguments: Any, **settings: Any) -> Any:
        started = time.monotonic()
        history = fit(*arguments, **settings)
        append_json_line(of=sys.argv[1], fit_seconds=time.monotonic() - started, epochs=len(history.epoch))
        return history

    return timed_fit


keras.Model.fit = timed(keras.Model.fit)
