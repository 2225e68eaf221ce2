"""Made-up projects for the tests of the report, built once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.projects import make_project
from support.reports import Report, write_report


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that no test changes."""
    return make_project(tmp_path_factory.mktemp("original") / "yard")


@pytest.fixture(scope="session")
def report(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of that project, compared with its own commit."""
    return write_report(original, tmp_path_factory.mktemp("report") / "index.html", against="HEAD")


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    """A project of the test's own."""
    return Path(shutil.copytree(original, tmp_path / "yard"))


@pytest.fixture
def rewrite(project: Path) -> Callable[..., Report]:
    """Write the report of the test's own project, again each time it is called."""
    return lambda against=None: write_report(project, project / "reports" / "index.html", against)
