"""Waits until the study named by STUDY exists, then joins it with one worker process; ends when the study ends.

TRIALS overrides the total number of trials in params.yaml.
"""

import os
import sys
import time
from pathlib import Path

from modelyard.core.errors import ModelyardError, exit_on_error
from modelyard.tuning.storage import VARIABLE, Place, latest, place_of

POLL_SECONDS = 3


def main() -> None:
    """Check the settings, wait for the study, then run `modelyard tune` in place of this process."""
    study = os.environ.get("STUDY", "")
    if not study:
        raise ModelyardError(
            "STUDY is not set: it names the study of params.yaml to join, for example STUDY=mnist_cnn."
        )
    if not os.environ.get(VARIABLE):
        raise ModelyardError(f"{VARIABLE} is not set: it is the URL of the database that all workers of a study share.")
    wait_for(study, place_of(study, None, Path.cwd()))
    trials = ["--trials", os.environ["TRIALS"]] if os.environ.get("TRIALS") else []
    os.execvp("modelyard", ["modelyard", "tune", study, "--join", "--workers", "1", *trials])  # noqa: S606, S607


def wait_for(study: str, place: Place) -> None:
    """Return once the study exists."""
    with place.explained():
        opened = place.open()
        if latest(study, opened) is None:
            print(f"waiting for study {study} in {place.shown}; start it with: modelyard tune {study}", file=sys.stderr)  # noqa: T201
        while latest(study, opened) is None:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    with exit_on_error():
        main()
