"""Which code of the package makes the score of a trial: scores of other code cannot be compared with it."""

from functools import cache
from pathlib import Path

from modelyard.core.files import sha256

PACKAGE = Path(__file__).parents[1]
DIGITS = 12  # of a checksum: enough to notice an edit
CODE = (
    "data/columns.py",
    "data/cross_validation.py",
    "data/inputs.py",
    "data/preprocessing.py",
    "data/readers",
    "data/samples.py",
    "data/scaling.py",
    "data/splits.py",
    "data/target_scaling.py",
    "metrics/definitions.py",
    "metrics/detection.py",
    "models/__init__.py",
    "models/engine",
    "tuning/objective.py",
)
"""Files and folders of the package, without the model families: a trial has the code of its own only."""


@cache
def code_checksums(family: str) -> dict[str, str]:
    """Return the beginning of the SHA-256 of each file that can change the score of a model of this family."""
    paths = [PACKAGE / name for name in (*CODE, f"models/families/{family}.py")]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return {file.relative_to(PACKAGE).as_posix(): sha256(file)[:DIGITS] for file in files}
