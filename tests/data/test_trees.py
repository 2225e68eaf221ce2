"""Folders and archives: which files they hold, one checksum for all, and what is refused."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import ModelyardError
from modelyard.data import trees
from modelyard.data.trees import checksum_of, hash_files, kept_checksum_of, open_tree, pack, tree_checksum

FILES = {"cats/b.png": b"bb", "cats/a.png": b"a", "dogs/a.png": b"", "a-b/c/d.png": b"d"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "photos", FILES)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(path: Path) -> dict[str, bytes]:
    with open_tree(path) as tree:
        return dict(tree.contents("reading"))


def write_tar(path: Path, entries: dict[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in entries.items():
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_the_files_of_a_folder_are_sorted_by_the_bytes_of_their_paths(folder: Path) -> None:
    assert list(contents(folder)) == ["a-b/c/d.png", "cats/a.png", "cats/b.png", "dogs/a.png"]
    assert contents(folder) == FILES


def test_archives_have_the_files_of_the_folder(folder: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "a"), "zip", folder)
    shutil.make_archive(str(tmp_path / "a"), "gztar", folder)
    pack(folder, tmp_path / "a.tar")
    for name in ("a.zip", "a.tar.gz", "a.tar"):
        assert contents(tmp_path / name) == FILES
        assert checksum_of(tmp_path / name) == checksum_of(folder)


def test_the_checksum_is_what_sha256sum_gives(folder: Path) -> None:
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    printed = subprocess.run(("sh", "-c", command), cwd=folder, capture_output=True, text=True, check=True).stdout
    assert checksum_of(folder) == printed.split()[0]


@given(st.dictionaries(st.text("ab/", min_size=1), st.sampled_from("01"), min_size=1), st.randoms())
def test_the_checksum_depends_on_names_and_contents_but_not_on_their_order(hashes: dict[str, str], random) -> None:
    shuffled = list(hashes.items())
    random.shuffle(shuffled)
    assert tree_checksum(dict(shuffled)) == tree_checksum(hashes)
    for name, content in hashes.items():
        assert tree_checksum(hashes | {name: "1" if content == "0" else "0"}) != tree_checksum(hashes)
        assert tree_checksum({f"{each}c" if each == name else each: c for each, c in hashes.items()}) != tree_checksum(
            hashes
        )


def test_a_packed_folder_has_the_same_bytes_whenever_it_is_packed(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "one.tar")
    copy = write(tmp_path / "other", dict(reversed(FILES.items())))
    os.utime(copy / "cats/a.png", (1, 1))
    (copy / "cats/a.png").chmod(0o600)
    pack(copy, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_litter_is_passed_over_and_changes_no_checksum(folder: Path, tmp_path: Path) -> None:
    names = (".DS_Store", "cats/Thumbs.db", "cats/._a.png", "__MACOSX/cats/a.png", "dogs/DESKTOP.INI")
    litter = dict.fromkeys(names, b"x")
    before = checksum_of(folder)
    write(folder, litter)
    assert contents(folder) == FILES
    assert checksum_of(folder) == before
    assert contents(write_zip(tmp_path / "a.zip", FILES | litter)) == FILES
    assert contents(write_tar(tmp_path / "a.tar", FILES | litter)) == FILES


def test_names_of_any_bytes_and_with_blanks_are_kept(tmp_path: Path) -> None:
    files = {os.fsdecode(b"c a\xff/\xc3\xa9 1.png"): b"1", "b/" + "n" * 200 + ".png": b"2"}
    folder = write(tmp_path / "photos", files)
    pack(folder, tmp_path / "a.tar")
    assert contents(tmp_path / "a.tar") == files
    assert checksum_of(tmp_path / "a.tar") == checksum_of(folder)


# --- the kept checksum ---


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of files that were read."""
    reads: list[str] = []
    read = trees._read_file
    monkeypatch.setattr(trees, "_read_file", lambda folder, name: (reads.append(name), read(folder, name))[1])
    return lambda: len(reads)


@pytest.mark.parametrize("change", ["content", "name", "removed", "replaced"])
def test_the_checksum_of_an_unchanged_folder_is_found_without_reading_a_file(
    change: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_reads: Callable[[], int]
) -> None:
    monkeypatch.setattr(trees, "SETTLED_SECONDS", -1)
    notes = tmp_path / "project" / "notes"
    first = kept_checksum_of(folder, notes)
    assert (kept_checksum_of(folder, notes), count_reads()) == (first, len(FILES))
    assert first == checksum_of(folder)
    file = folder / "cats/b.png"
    before = file.stat()
    if change == "content":  # of equal length, with the old time stamp
        file.write_bytes(b"bx")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "name":
        file.rename(folder / "cats/c.png")
    elif change == "removed":
        file.unlink()
    else:
        (folder / "new").write_bytes(b"xx")
        os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (folder / "new").replace(file)
    assert kept_checksum_of(folder, notes) == checksum_of(folder) != first
    assert not list(folder.rglob(".*"))  # nothing is written there


def test_a_folder_that_has_just_changed_is_read_again(folder: Path, tmp_path: Path, count_reads) -> None:
    kept_checksum_of(folder, tmp_path / "notes")
    kept_checksum_of(folder, tmp_path / "notes")
    assert count_reads() == 2 * len(FILES)


def test_a_note_that_is_broken_or_cannot_be_written_does_no_harm(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trees, "SETTLED_SECONDS", -1)
    expected = kept_checksum_of(folder, tmp_path / "notes")
    (note,) = (tmp_path / "notes").iterdir()
    for text in ("", "[]", "{}"):
        note.write_text(text)
        assert kept_checksum_of(folder, tmp_path / "notes") == expected
    (tmp_path / "file").touch()
    assert kept_checksum_of(folder, tmp_path / "file") == expected


# --- what is refused ---


def test_an_empty_folder_is_refused_by_its_name(folder: Path, tmp_path: Path) -> None:
    (folder / "birds").mkdir()
    (folder / "birds/.DS_Store").touch()
    with pytest.raises(ModelyardError, match="photos/birds is an empty folder: fill it, or remove it"):
        contents(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelyardError, match="empty is an empty folder"):
        contents(tmp_path / "empty")
    for path in (write_zip(tmp_path / "a.zip", {"__MACOSX/x": b""}), write_tar(tmp_path / "a.tar", {})):
        with pytest.raises(ModelyardError, match="the archive is empty"):
            contents(path)


def test_a_link_is_followed_only_to_a_file_of_the_folder(folder: Path, tmp_path: Path) -> None:
    link = folder / "cats/link.png"
    link.symlink_to("../dogs/a.png")
    assert contents(folder)["cats/link.png"] == b""
    (tmp_path / "secret").write_text("x")
    for target, message in (
        (tmp_path / "secret", "cats/link.png is a link that leads outside of the folder"),
        (tmp_path / "nothing", "cats/link.png is a link that leads to no file"),
        (folder / "dogs", "cats/link.png is a link to another folder"),
        (link, "cats/link.png is a link that leads to no file"),
    ):
        link.unlink()
        link.symlink_to(target)
        with pytest.raises(ModelyardError, match=message):
            contents(folder)


def test_a_folder_that_is_itself_a_link_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert contents(tmp_path / "link") == FILES


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "cats/pipe")
    with pytest.raises(ModelyardError, match="cats/pipe is no file, but a pipe or a device"):
        contents(folder)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "cats/../../a.png", "C:/a.png"])
def test_a_path_that_leads_outside_of_an_archive_is_refused(name: str, tmp_path: Path) -> None:
    for path in (write_zip(tmp_path / "a.zip", {name: b""}), write_tar(tmp_path / "a.tar.gz", {name: b""})):
        with pytest.raises(ModelyardError, match="a path that leads outside of it"):
            contents(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_an_archive_is_refused(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("cats/a.png")
    entry.type, entry.linkname = kind, "b.png"
    with pytest.raises(ModelyardError, match=r"cats/a\.png in the archive is (a link|no file)"):
        contents(write_tar(tmp_path / "a.tar", {"cats/a.png": entry}))
    link = zipfile.ZipInfo("cats/a.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ModelyardError, match=r"cats/a\.png in the archive is a link"):
        contents(tmp_path / "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_one_name_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("cats/a.png", b"1")
        archive.writestr("./cats/a.png", b"2")
    with pytest.raises(ModelyardError, match=r"holds cats/a\.png twice"):
        contents(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_broken_archive_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    files = {f"cats/{number}.png": os.urandom(2000) for number in range(20)}
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, files)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2 + 99], b"no archive", b""):
        path.write_bytes(broken)
        with pytest.raises(ModelyardError, match=rf"{name}: neither a folder nor a whole zip or tar archive") as raised:
            contents(path)
        assert "\n" not in str(raised.value)


def test_an_encrypted_zip_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"cats/a.png": b"1"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ModelyardError, match="is encrypted: pack it again without a password"):
        contents(path)


def test_backslashes_of_windows_separate_folders_in_a_zip_archive(tmp_path: Path) -> None:
    assert contents(write_zip(tmp_path / "a.zip", {"cats\\a.png": b"1"})) == {"cats/a.png": b"1"}


def test_a_file_that_is_too_large_for_memory_is_refused(folder: Path, tmp_path: Path, monkeypatch) -> None:
    archives = [write_zip(tmp_path / "a.zip", FILES), write_tar(tmp_path / "a.tar", FILES)]
    monkeypatch.setattr(trees, "MOST_BYTES", 1)
    for path in (folder, *archives):
        with pytest.raises(ModelyardError, match=r"b\.png: .* MiB are read: take it out"):
            contents(path)


def test_a_tree_is_a_folder_or_an_archive_of_several_files(folder: Path, tmp_path: Path) -> None:
    assert trees.is_tree(folder)
    assert trees.is_tree(write_tar(tmp_path / "a.tar.gz", FILES))
    assert trees.is_tree(write_zip(tmp_path / "a.zip", FILES))
    assert not trees.is_tree(write_zip(tmp_path / "table.zip", {"table.csv": b"a,b", "__MACOSX/table.csv": b""}))
    (tmp_path / "table.csv").write_text("a,b\n")
    assert not trees.is_tree(tmp_path / "table.csv")
    assert not trees.is_tree(tmp_path / "nothing")


def test_hashes_are_those_of_the_contents(folder: Path) -> None:
    assert hash_files(folder)["cats/a.png"] == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
