"""The wheel of the installed package."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from modelyard.cli.wheel import write_wheel

OTHERS = {"WHEEL", "RECORD", "METADATA"}  # of dist-info: as the installed version has them


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("wheel"))


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist() if Path(name).name not in OTHERS}


def test_it_has_what_setuptools_puts_into_a_wheel(wheel: Path, clone: Path, tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path]
    subprocess.run([*command, clone], check=True, timeout=120)
    (built,) = tmp_path.glob("*.whl")
    ours, theirs = content(wheel), content(built)
    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] != theirs[name]} == set()


def test_equal_code_gives_equal_bytes(wheel: Path, tmp_path: Path):
    assert write_wheel(tmp_path).read_bytes() == wheel.read_bytes()


def test_it_can_be_installed_and_imported_outside_of_the_checkout(wheel: Path, tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path,
        wheel,
    ]
    subprocess.run(command, check=True, timeout=120)
    code = "import modelyard, modelyard.cli.package_code as p; print(modelyard.__file__, len(p.project_files()))"
    environment = {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    place, count = done.stdout.split()
    assert Path(place) == tmp_path / "modelyard" / "__init__.py"
    assert int(count) > 8
