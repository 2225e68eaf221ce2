"""Notes how long keras.Model.fit takes: in the notebooks, and in the pipeline's copy that is measured."""

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

NOTES = "BENCHMARK_NOTES"  # names the file that takes a line of JSON for each fit and each figure


def note(**facts: Any) -> None:
    """Add a line to the file of notes."""
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def timed(fit: Callable) -> Callable:
    """A fit that notes its seconds, its epochs and the script's first argument (in the pipeline, the experiment)."""

    @functools.wraps(fit)
    def fit_and_note(*arguments: Any, **settings: Any) -> Any:
        began = time.monotonic()
        history = fit(*arguments, **settings)
        note(of=sys.argv[1], fit_seconds=time.monotonic() - began, epochs=len(history.epoch))
        return history

    return fit_and_note


keras.Model.fit = timed(keras.Model.fit)
