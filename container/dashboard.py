"""Starts Optuna's dashboard after creating Optuna's tables, without which the dashboard refuses an empty database."""

import os
import sys

from optuna.storages import RDBStorage


def main() -> None:
    """Create the tables, then run the dashboard in place of this process."""
    storage = os.environ["MODELYARD_OPTUNA_STORAGE"]
    RDBStorage(storage)
    os.execvp("optuna-dashboard", ["optuna-dashboard", storage, *sys.argv[1:]])  # noqa: S606, S607


if __name__ == "__main__":
    main()
