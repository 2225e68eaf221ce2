"""Logs wall and CPU time of each keras.Model.fit, in the notebook scripts and in the measured clone of the project."""

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras

VARIABLE = "BENCHMARK_LOG"  # names the file with a line of JSON for each fit and each metric


def append_json_line(**values: Any) -> None:
    """Append a line of JSON to the log."""
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def timed(fit: Callable) -> Callable:
    """Wrap `fit` to log its seconds, epochs and the script's first argument (in the pipeline, the experiment).

    An epoch's seconds include its validation; those of the first also include tracing.
    """

    @functools.wraps(fit)
    def timed_fit(*arguments: Any, callbacks: Sequence[keras.callbacks.Callback] | None = None, **settings: Any) -> Any:
        cpu_started, ends = time.process_time(), [time.monotonic()]
        timer = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.monotonic()))
        history = fit(*arguments, **settings, callbacks=[*(callbacks or ()), timer])
        append_json_line(
            of=sys.argv[1],
            fit_seconds=time.monotonic() - ends[0],
            fit_cpu_seconds=time.process_time() - cpu_started,
            epochs=len(history.epoch),
            epoch_seconds=[end - start for start, end in pairwise(ends)],
        )
        return history

    return timed_fit


keras.Model.fit = timed(keras.Model.fit)
