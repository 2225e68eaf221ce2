"""A project to replicate, and its runs done in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.engines import Here
from support.replications import NO_LIMIT, replicated_project

from modelyard.params.project import Project
from modelyard.replication import series
from modelyard.replication.series import Outcome, Series

RunHere = Callable[[list[tuple[Series, int]]], list[Outcome]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose raw files are in `raw` of the temporary folder."""
    return replicated_project(tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of kept runs."""
    return tmp_path / "kept"


@pytest.fixture
def run_here(tmp_path: Path, kept: Path) -> RunHere:
    """Does the missing runs in this process; returns their outcomes."""
    return lambda wanted: list(series.run_jobs(series.missing_jobs(wanted, kept), tmp_path / "raw", Here(), NO_LIMIT))
