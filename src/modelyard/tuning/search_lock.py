"""One search of a study at a time in a project, unless the others join it: two would train the same trials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text


@contextmanager
def only_search(study_name: str, root: Path) -> Iterator[None]:
    """Hold the lock of a study during the block.

    Raises:
        ModelyardError: another search holds it.
    """
    path = root / ".modelyard" / "studies" / f"{study_name}.search.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    holder, lock = path.with_suffix(".pid"), FileLock(path)  # the kernel frees it when its holder dies
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid = holder.read_text(encoding="utf-8") if holder.exists() else "not known yet"
        raise ModelyardError(
            f"a search of study {study_name} is running here (PID {pid}), and a second one would train the same "
            "trials. To search with it, add --join."
        ) from None
    try:
        write_text(holder, f"{os.getpid()}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
