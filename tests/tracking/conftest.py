"""A project whose runs are tracked."""

from pathlib import Path

import pytest


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """A project's root, the current folder, with an empty store."""
    return tracked_project
