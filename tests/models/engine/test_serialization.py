"""Archives are the same bytes whenever they hold the same model."""

import json
import zipfile
from pathlib import Path

import pytest

from modelyard.core.files import read_zip
from modelyard.models.engine.serialization import make_stable


def keras_like(path: Path, year: int, address: int) -> Path:
    """A .keras archive as Keras writes it in a given year, its objects from a given address on."""
    shared = [{"class_name": "Dense", "shared_object_id": address + offset} for offset in (64, 0, 64)]
    members = {
        "metadata.json": json.dumps({"keras_version": "3.15.1", "date_saved": f"{year}-01-01@00:00:00"}),
        "config.json": json.dumps({"layers": shared, "rate": 0.25, "name": "model"}),
        "model.weights.h5": b"\x89HDF weights",
    }
    return zipped(path, members, year)


def skops_like(path: Path, year: int, address: int) -> Path:
    """A .skops archive: its arrays are files named by the address of the array."""
    nodes = [{"__id__": each, "type": "numpy", "file": f"{each}.npy"} for each in (address + 64, address)]
    members = {
        "schema.json": json.dumps({"__id__": address + 8, "content": nodes, "protocol": 2}),
        f"{address}.npy": b"first array",
        f"{address + 64}.npy": b"second array",
    }
    return zipped(path, members, year)


def zipped(path: Path, members: dict, year: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(year, 1, 1, 0, 0, 0)), content)
    return path


@pytest.mark.parametrize("kind", [keras_like, skops_like])
def test_archives_that_differ_in_date_and_addresses_become_equal_bytes(kind: object, tmp_path: Path) -> None:
    one, other = kind(tmp_path / "one", 2001, 140_000), kind(tmp_path / "other", 2026, 9_999)
    assert one.read_bytes() != other.read_bytes()
    make_stable(one), make_stable(other)
    assert one.read_bytes() == other.read_bytes()


def test_only_dates_and_addresses_of_a_keras_archive_change(tmp_path: Path) -> None:
    path = keras_like(tmp_path / "model.keras", 2026, 140_000)
    make_stable(path)
    content = read_zip(path)
    assert content["model.weights.h5"] == b"\x89HDF weights"
    assert json.loads(content["metadata.json"]) == {"keras_version": "3.15.1", "date_saved": None}
    shared = [{"class_name": "Dense", "shared_object_id": number} for number in (0, 1, 0)]
    assert json.loads(content["config.json"]) == {"layers": shared, "rate": 0.25, "name": "model"}


def test_a_skops_archive_still_finds_each_array_by_its_file_name(tmp_path: Path) -> None:
    path = skops_like(tmp_path / "model.skops", 2026, 140_000)
    make_stable(path)
    content = read_zip(path)
    nodes = json.loads(content["schema.json"])["content"]
    assert [content[node["file"]] for node in nodes] == [b"second array", b"first array"]
    assert all(node["file"] == f"{node['__id__']}.npy" for node in nodes)


def test_a_stable_archive_is_left_unchanged(tmp_path: Path) -> None:
    path = keras_like(tmp_path / "model.keras", 2026, 140_000)
    make_stable(path)
    once = path.read_bytes()
    make_stable(path)
    assert path.read_bytes() == once
