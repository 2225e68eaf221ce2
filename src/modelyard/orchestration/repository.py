"""DVC's repository, opened without its progress bars."""

import logging
from pathlib import Path
from typing import Any


def open_repository(root: Path) -> Any:
    """Open the repository of a project; to be used as a context."""
    from dvc.repo import Repo

    logging.getLogger("dvc.rwlock").setLevel(logging.ERROR)  # it warns when it drops the locks of killed processes
    for module in ("dvc.progress", "dvc_data.callbacks"):  # their progress bars would disturb the display
        logging.getLogger(module).setLevel(logging.CRITICAL)
    return Repo(str(root), _wait_for_lock=True)
