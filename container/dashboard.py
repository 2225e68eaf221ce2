"""Becomes Optuna's dashboard; it opens no database in which no study was begun yet, so the tables are made first."""

import os
import sys

from optuna.storages import RDBStorage


def main() -> None:
    storage = os.environ["MODELYARD_OPTUNA_STORAGE"]
    RDBStorage(storage)
    os.execvp("optuna-dashboard", ["optuna-dashboard", storage, *sys.argv[1:]])  # noqa: S606, S607


if __name__ == "__main__":
    main()
