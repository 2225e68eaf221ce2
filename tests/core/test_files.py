"""Files are written completely or not at all, and the same content gives the same bytes."""

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.core import files
from modelyard.core.errors import ModelyardError


class _Killed(Exception):
    """An error that ends a block early."""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_checksum_is_sha256(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"content" * 100_000)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"content" * 100_000).hexdigest()


def test_the_checksum_is_md5_where_it_is_asked_for(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"message digest")
    assert files.checksum(tmp_path / "a", "md5") == "f96b697d7cb7938d525a2f31aaf161d0"  # RFC 1321, A.5


def test_a_temporary_file_is_deleted(tmp_path: Path):
    (tmp_path / "a").write_text("old")
    with files.temporary_file(tmp_path / "a") as temporary:
        temporary.write_text("used")
    with pytest.raises(_Killed), files.temporary_file(tmp_path / "a") as temporary:
        temporary.write_text("half a fi")
        raise _Killed
    assert (tmp_path / "a").read_text() == "old"
    assert _names(tmp_path) == ["a"]


def test_a_file_gets_its_name_when_the_block_succeeds(tmp_path: Path):
    with files.atomic_file(tmp_path / "new" / "folder" / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "folder" / "a.txt").exists()
    assert (tmp_path / "new" / "folder" / "a.txt").read_text() == "whole"
    assert _names(tmp_path / "new" / "folder") == ["a.txt"]


def test_an_error_inside_the_block_leaves_the_old_file(tmp_path: Path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(_Killed), files.atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half a fi")
        raise _Killed
    assert (tmp_path / "a.txt").read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_an_error_inside_the_block_leaves_the_old_folder(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")
    with pytest.raises(_Killed), files.atomic_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("half")
        raise _Killed
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert _names(tmp_path) == ["model"]


def test_a_new_folder_replaces_all_of_the_old_one(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stray").write_text("old")
    with files.atomic_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("new")
    assert _names(tmp_path / "model") == ["weights"]
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o755
    assert _names(tmp_path) == ["model"]


def test_leftovers_of_a_killed_run_beside_a_folder_are_removed(tmp_path: Path):
    left_over = tmp_path / ".model.abc123.part"
    left_over.mkdir()
    (left_over / "weights").write_text("half")
    os.utime(left_over / "weights", (0, 0))
    os.utime(left_over, (0, 0))
    with files.atomic_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("new")
    assert _names(tmp_path) == ["model"]


def test_leftovers_of_a_killed_run_beside_a_file_are_removed(tmp_path: Path):
    for name, changed in ((".a[1].csv.0000.part", 0), (".a[1].csv.1111.part", time.time()), (".b.csv.0000.part", 0)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (changed, changed))
    files.write_text(tmp_path / "a[1].csv", "new")
    assert _names(tmp_path) == [".a[1].csv.1111.part", ".b.csv.0000.part", "a[1].csv"]


def test_two_processes_can_write_a_folder_at_once(tmp_path: Path):
    with files.atomic_folder(tmp_path / "model") as first, files.atomic_folder(tmp_path / "model") as second:
        (first / "weights").write_text("first")
        (second / "weights").write_text("second")
    assert (tmp_path / "model" / "weights").read_text() == "first", "the last one to end"
    assert _names(tmp_path) == ["model"]


def test_a_folder_that_appears_meanwhile_is_kept_where_none_may_be_replaced(tmp_path: Path):
    for content in ("empty", "full"):
        with pytest.raises(FileExistsError), files.atomic_folder(tmp_path / content, replace=False):
            (tmp_path / content).mkdir()
            if content == "full":
                (tmp_path / content / "mine").write_text("precious")
    assert _names(tmp_path) == ["empty", "full"]
    assert (_names(tmp_path / "empty"), _names(tmp_path / "full")) == ([], ["mine"])


def test_of_two_that_write_a_new_folder_the_first_one_to_end_succeeds(tmp_path: Path):
    with pytest.raises(FileExistsError), files.atomic_folder(tmp_path / "model", replace=False) as first:
        (first / "weights").write_text("first")
        with files.atomic_folder(tmp_path / "model", replace=False) as second:
            (second / "weights").write_text("second")
    assert (tmp_path / "model" / "weights").read_text() == "second"
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o755
    assert _names(tmp_path) == ["model"]


def test_a_file_that_comes_in_at_the_last_moment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mkdir = Path.mkdir

    def mkdir_and_fill(path: Path, *arguments, **options) -> None:
        mkdir(path, *arguments, **options)
        if path.name == "model":
            (path / "mine").write_text("precious")

    monkeypatch.setattr(Path, "mkdir", mkdir_and_fill)
    with pytest.raises(FileExistsError), files.atomic_folder(tmp_path / "model", replace=False):
        pass
    assert _names(tmp_path / "model") == ["mine"]


def test_an_error_names_the_folder_that_cannot_be_made():
    with pytest.raises(FileNotFoundError) as raised, files.atomic_folder(Path("/proc/model")):
        pass
    assert raised.value.filename == "/proc/model"


def test_leftovers_of_another_folder_are_not_removed(tmp_path: Path):
    (tmp_path / ".other.abc123.part").mkdir()
    with files.atomic_folder(tmp_path / "model"):
        pass
    assert _names(tmp_path) == [".other.abc123.part", "model"]


def test_a_link_of_the_system_is_written_through_even_if_it_leads_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    system, redirected = tmp_path / "dev", tmp_path / "out.csv"
    system.mkdir()
    redirected.write_text("before\n")
    (system / "stdout").symlink_to(redirected)
    monkeypatch.setattr(files, "SYSTEM", (system,))
    files.write_table(system / "stdout", pd.DataFrame({"a": [1]}))
    assert (system / "stdout").readlink() == redirected
    assert redirected.read_text() == "before\na\n1\n"
    assert _names(system) == ["stdout"]


@pytest.mark.parametrize("follows_link, behind", [(True, "a\n1\n"), (False, "old")])
def test_a_link_is_replaced_unless_it_is_to_be_followed(tmp_path: Path, follows_link: bool, behind: str):
    (tmp_path / "cache").write_text("old")
    (tmp_path / "link.csv").symlink_to("cache")
    files.write_tables(tmp_path / "link.csv", [pd.DataFrame({"a": [1]})], follows_link)
    assert (tmp_path / "cache").read_text() == behind
    assert (tmp_path / "link.csv").is_symlink() is follows_link
    assert (tmp_path / "link.csv").read_text() == "a\n1\n"


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: files.write_text(path, "new"),
    "json": lambda path: files.write_json(path, {"new": 1}),
    "table": lambda path: files.write_table(path, pd.DataFrame({"new": [1]})),
    "archive": lambda path: files.write_zip(path, {"new": b"1"}),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable):
    if not Path("/dev/full").exists():
        pytest.skip("NO /dev/full: this system cannot simulate a full disk")
    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0000")
    full = tmp_path / ".a.0000.part"  # opening the temporary file for writing opens the full device
    full.symlink_to("/dev/full")
    with pytest.raises(OSError) as raised:
        write(path)
    assert raised.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["a"]


@pytest.mark.parametrize("atomic", [files.atomic_file, files.atomic_folder])
def test_a_read_only_folder_keeps_what_it_holds(tmp_path: Path, atomic: Callable):
    (tmp_path / "a").write_text("old")
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("RUN AS ROOT: no folder is read-only for one who may override permissions")
        with pytest.raises(PermissionError), atomic(tmp_path / "a") as temporary:
            temporary.write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_nan_and_infinity_and_keeps_the_old_file(tmp_path: Path, number: float):
    files.write_json(tmp_path / "metrics.json", {"loss": 1.5})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "metrics.json", {"loss": number})
    assert files.read_json(tmp_path / "metrics.json") == {"loss": 1.5}


def test_json_keeps_its_order_and_is_readable_by_people(tmp_path: Path):
    files.write_json(tmp_path / "a.json", {"b": "Grün", "a": [1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": "Grün",\n  "a": [\n    1\n  ]\n}\n'


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
@example([0x447A0001])  # the neighbour of 1000: eight digits would not do
def test_a_table_holds_every_float32_exactly(tmp_path_factory: pytest.TempPathFactory, bits: list[int]):
    numbers = np.array(bits, dtype=np.uint32).view(np.float32)
    numbers = numbers[~np.isnan(numbers)]
    path = tmp_path_factory.mktemp("table") / "a.csv"
    files.write_table(path, pd.DataFrame({"x": numbers}))
    read = pd.read_csv(path, dtype=np.float32, float_precision="round_trip").x.to_numpy()
    np.testing.assert_array_equal(read.view(np.uint32), numbers.view(np.uint32))


def test_an_archive_depends_on_its_members_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files.write_zip(tmp_path / "a.zip", {"b": b"2", "a": b"1"})
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    files.write_zip(tmp_path / "b.zip", {"a": b"1", "b": b"2"})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert files.read_zip(tmp_path / "a.zip") == {"a": b"1", "b": b"2"}
    assert list(files.read_zip(tmp_path / "a.zip")) == ["a", "b"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(tmp_path / "pipe", "a")
    assert os.read(reader, 10) == b"a"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_tables_are_written_below_each_other_completely_or_not_at_all(name: str, tmp_path: Path):
    read = pd.read_csv if name == "a.csv" else pd.read_parquet
    tables = [pd.DataFrame({"n": [start, start + 1], "text": ["é,", '"']}) for start in (1, 3)]
    files.write_tables(tmp_path / name, iter(tables))
    assert read(tmp_path / name).n.tolist() == [1, 2, 3, 4]

    def broken():
        yield tables[0]
        raise _Killed

    with pytest.raises(_Killed):
        files.write_tables(tmp_path / name, broken())
    assert read(tmp_path / name).n.tolist() == [1, 2, 3, 4]
    assert _names(tmp_path) == [name]


def test_without_a_table_no_file_is_written(tmp_path: Path):
    files.write_tables(tmp_path / "a.csv", [])
    assert _names(tmp_path) == []


def test_a_copied_folder_has_no_links_and_nothing_that_is_left_out(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("x", "b/y", "b/left_out"):
        (tmp_path / "a" / name).write_text(name)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a" / "x")
    (tmp_path / "a" / "to_nothing").symlink_to("gone")
    files.copy_folder(tmp_path / "a", tmp_path / "copy", lambda name: name == "left_out")
    assert _names(tmp_path / "copy") == ["b", "link", "x"]
    assert _names(tmp_path / "copy" / "b") == ["y"]
    assert not (tmp_path / "copy" / "link").is_symlink()


def test_a_file_that_cannot_be_copied_is_named_with_the_reason(tmp_path: Path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe")
    with pytest.raises(ModelyardError, match=r"a/pipe cannot be copied: .* is a named pipe\. Make it readable"):
        files.copy_folder(tmp_path / "a", tmp_path / "copy", lambda _: False)
