"""Waits until the study that STUDY names is begun, and joins it with one process; ends when the study does.

TRIALS is how many there shall be in all, where that is not what params.yaml says.
"""

import os
import sys
import time
from pathlib import Path

from modelyard.core.errors import ModelyardError, explained
from modelyard.tuning.storage import VARIABLE, Place, latest, place_of

LOOK_SECONDS = 3


def main() -> None:
    study = os.environ.get("STUDY", "")
    if not study:
        raise ModelyardError("STUDY is not set: it names the study of params.yaml that this worker is for.")
    if not os.environ.get(VARIABLE):
        raise ModelyardError(f"{VARIABLE} is not set: it names the database in which workers meet.")
    wait_for(study, place_of(study, None, Path.cwd()))
    trials = ["--trials", os.environ["TRIALS"]] if os.environ.get("TRIALS") else []
    os.execvp("modelyard", ["modelyard", "tune", study, "--join", "--workers", "1", *trials])  # noqa: S606, S607


def wait_for(study: str, place: Place) -> None:
    """Return once somebody has begun a study."""
    with place.explained():
        opened = place.open()
        if latest(study, opened) is None:
            print(f"waiting for study {study} in {place.shown}; begin it: modelyard tune {study}", file=sys.stderr)  # noqa: T201
        while latest(study, opened) is None:
            time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    with explained():
        main()
