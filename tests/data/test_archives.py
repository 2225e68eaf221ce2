"""Of an archive the named members are unpacked and nothing else; one that is not as promised leaves nothing."""

import gzip
import hashlib
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.archives import COMPRESSIONS, CONTENTS, GOOD, MEMBERS, TWO, file_contents, packed

from modelyard.core.errors import ModelyardError
from modelyard.data import archives
from modelyard.data.archives import checksum_of_content, decompress, open_content, unpack

RIGHT = MEMBERS["two.bin"]
ALTERED = hashlib.md5(b"altered", usedforsecurity=False).hexdigest()


def entry(path: str, kind: bytes, leads_to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(path)
    made.type, made.linkname = kind, leads_to
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def _refusal(content: bytes, folder: Path) -> str:
    (folder.parent / "archive").write_bytes(content)
    with pytest.raises(ModelyardError) as raised:
        unpack(folder.parent / "archive", MEMBERS, folder)
    return str(raised.value)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_only_the_named_members_are_unpacked_by_their_base_names(folder: Path, compression: str):
    others = {"made-up-bin": entry("made-up-bin", tarfile.DIRTYPE), "made-up-bin/readme.html": b"<html>"}
    link = {"link": entry("made-up-bin/link", tarfile.SYMTYPE, "/etc/passwd")}
    (folder.parent / "archive").write_bytes(packed(others | GOOD | link, compression))
    unpack(folder.parent / "archive", MEMBERS, folder)
    assert file_contents(folder) == CONTENTS
    assert sorted(path.name for path in folder.parent.iterdir()) == ["archive", "folder"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"one.bin": CONTENTS["one.bin"]}, "the archive lacks two.bin"),
        ({}, "the archive lacks one.bin, two.bin"),
        (GOOD | {TWO: b"altered"}, f"two.bin in the archive has the MD5 {ALTERED}, params.yaml has {RIGHT}"),
        (GOOD | {"elsewhere/one.bin": CONTENTS["one.bin"]}, "holds one.bin twice"),
        (GOOD | {"../stray.bin": b""}, "'../stray.bin', a path that leads outside"),
        (GOOD | {"made-up-bin/../../one.bin": b""}, "'made-up-bin/../../one.bin', a path that leads outside"),
        (GOOD | {"/etc/stray.bin": b""}, "'/etc/stray.bin', a path that leads outside"),
        (GOOD | {TWO: entry(TWO, tarfile.SYMTYPE, "one.bin")}, f"{TWO} in the archive is not a regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.LNKTYPE, "made-up-bin/one.bin")}, "not a regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.DIRTYPE)}, "not a regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.FIFOTYPE)}, "not a regular file"),
    ],
    ids=["one missing", "empty", "altered", "twice", "above", "above by a detour", "absolute", "symbolic link",
         "hard link", "folder", "pipe"],
)  # fmt: skip
def test_an_archive_with_other_members_is_refused_and_nothing_is_unpacked(folder: Path, content: dict, expected: str):
    (folder / "one.bin").write_bytes(b"old")
    assert expected in _refusal(packed(content), folder)
    assert file_contents(folder) == {"one.bin": b"old"}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["archive", "folder"]


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"PK\x03\x04" + bytes(600), packed(GOOD)[:3]])
def test_a_file_that_is_not_a_tar_archive_is_refused(folder: Path, content: bytes):
    assert "not a complete tar archive" in _refusal(content, folder)
    assert file_contents(folder) == {}


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_half_an_archive_is_refused(folder: Path, compression: str):
    whole = packed(GOOD, compression)
    assert _refusal(whole[: len(whole) // 2], folder)
    assert file_contents(folder) == {}


@given(compression=st.sampled_from(list(COMPRESSIONS)), data=st.data())
def test_a_damaged_archive_gives_the_right_members_or_none(compression: str, data: st.DataObject):
    whole = bytearray(packed(GOOD, compression))
    place = data.draw(st.integers(0, len(whole) - 1), label="place")
    if data.draw(st.booleans(), label="cut off"):
        del whole[place:]
    else:
        whole[place] ^= data.draw(st.integers(1, 255), label="flipped")
    with TemporaryDirectory() as made:
        archive, folder = Path(made, "archive"), Path(made, "folder")
        folder.mkdir()
        archive.write_bytes(whole)
        try:
            unpack(archive, MEMBERS, folder)
        except ModelyardError:
            assert file_contents(folder) == {}
        else:
            assert file_contents(folder) == CONTENTS


@pytest.mark.parametrize("limit", [999, 1000])
def test_a_content_above_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int):
    monkeypatch.setattr(archives, "MOST_BYTES", limit)
    monkeypatch.setattr(archives, "BLOCK", 100)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(1000)))
    if limit == 1000:
        decompress(tmp_path / "a.gz", tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == bytes(1000)
    else:
        with pytest.raises(ModelyardError, match="its content is larger than"):
            decompress(tmp_path / "a.gz", tmp_path / "a")


@given(st.binary())
def test_the_checksum_of_the_content_is_that_of_the_decompressed_file(content: bytes):
    with TemporaryDirectory() as folder:
        packed_file, plain = Path(folder) / "a.gz", Path(folder) / "a"
        packed_file.write_bytes(gzip.compress(content))
        decompress(packed_file, plain)
        assert plain.read_bytes() == content
        assert checksum_of_content(packed_file, "sha256") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_the_content_of_a_file_is_read_in_parts_whether_it_is_compressed_or_not(tmp_path: Path, pack):
    (tmp_path / "a").write_bytes(pack(b"content"))
    with open_content(tmp_path / "a") as content:
        assert (content.read(3), content.read(), content.read()) == (b"con", b"tent", b"")


def test_a_gzip_file_that_is_cut_off_is_refused_while_it_is_read(tmp_path: Path):
    (tmp_path / "a").write_bytes(gzip.compress(b"content")[:-1])
    with open_content(tmp_path / "a") as content:
        assert content.read(3) == b"con"
    with pytest.raises(ModelyardError, match="not a complete gzip file"), open_content(tmp_path / "a") as content:
        content.read()
