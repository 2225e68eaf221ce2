"""Waits until the study named by STUDY exists, then joins it with one worker process; ends when the study ends.

TRIALS overrides the total number of trials in params.yaml.
"""

import os
import signal
import sys
import time
from pathlib import Path

from modelyard.core.errors import ModelyardError, exit_on_error
from modelyard.tuning.storage import STORAGE_VARIABLE, StudyStorage, find_storage, latest_name

POLL_SECONDS = 3


def main() -> None:
    """Check the settings, wait for the study, then run `modelyard tune` in place of this process."""
    study = os.environ.get("STUDY", "")
    if not study:
        raise ModelyardError(
            "STUDY is not set: it names the study of params.yaml to join, for example STUDY=mnist_cnn."
        )
    if not os.environ.get(STORAGE_VARIABLE):
        raise ModelyardError(
            f"{STORAGE_VARIABLE} is not set: it is the URL of the database that all workers of a study share."
        )
    wait_for(study, find_storage(study, None, Path.cwd()))
    trials = ["--trials", os.environ["TRIALS"]] if os.environ.get("TRIALS") else []
    os.execvp("modelyard", ["modelyard", "tune", study, "--join", "--jobs", "1", *trials])  # noqa: S606, S607


def wait_for(study: str, storage: StudyStorage) -> None:
    """Return once the study exists; exit on SIGTERM, which a container's first process ignores by default."""
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))  # a query would turn sys.exit into an error
    with storage.explain_errors():
        opened = storage.open()
        if latest_name(study, opened) is None:
            message = f"waiting for study {study} in {storage.safe_address}; start it with: modelyard tune {study}"
            print(message, file=sys.stderr)  # noqa: T201
        while latest_name(study, opened) is None:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    with exit_on_error():
        main()
