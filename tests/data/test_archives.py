"""Of an archive the named members are unpacked and nothing else; one that is not as promised leaves nothing."""

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import ModelyardError
from modelyard.data.archives import unpack

CONTENTS = {"one.bin": b"first" * 300, "two.bin": bytes(range(256)) * 9}
MEMBERS = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in CONTENTS.items()}
GOOD = {f"made-up-bin/{name}": content for name, content in CONTENTS.items()}
TWO = "made-up-bin/two.bin"
RIGHT = MEMBERS["two.bin"]
ALTERED = hashlib.md5(b"altered", usedforsecurity=False).hexdigest()


COMPRESSIONS = {"gz": lambda whole: gzip.compress(whole, mtime=0), "xz": lzma.compress, "none": bytes}


def packed(content: Mapping[str, bytes | tarfile.TarInfo], compression: str = "gz") -> bytes:
    """An archive of files by path, the same bytes each time; a TarInfo stands for itself."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, value in content.items():
            entry = value if isinstance(value, tarfile.TarInfo) else tarfile.TarInfo(path)
            data = value if isinstance(value, bytes) else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return COMPRESSIONS[compression](whole.getvalue())


def entry(path: str, kind: bytes, leads_to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(path)
    made.type, made.linkname = kind, leads_to
    return made


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
    assert held(folder) == CONTENTS
    assert sorted(path.name for path in folder.parent.iterdir()) == ["archive", "folder"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"one.bin": CONTENTS["one.bin"]}, "the archive lacks two.bin"),
        ({}, "the archive lacks one.bin, two.bin"),
        (GOOD | {TWO: b"altered"}, f"two.bin in the archive has the MD5 {ALTERED}, params.yaml says {RIGHT}"),
        (GOOD | {"elsewhere/one.bin": CONTENTS["one.bin"]}, "holds one.bin twice"),
        (GOOD | {"../stray.bin": b""}, "'../stray.bin', a path that leads outside"),
        (GOOD | {"made-up-bin/../../one.bin": b""}, "'made-up-bin/../../one.bin', a path that leads outside"),
        (GOOD | {"/etc/stray.bin": b""}, "'/etc/stray.bin', a path that leads outside"),
        (GOOD | {TWO: entry(TWO, tarfile.SYMTYPE, "one.bin")}, f"{TWO} in the archive is no regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.LNKTYPE, "made-up-bin/one.bin")}, "no regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.DIRTYPE)}, "no regular file"),
        (GOOD | {TWO: entry(TWO, tarfile.FIFOTYPE)}, "no regular file"),
    ],
    ids=["one missing", "empty", "altered", "twice", "above", "above by a detour", "absolute", "symbolic link",
         "hard link", "folder", "pipe"],
)  # fmt: skip
def test_an_archive_that_is_not_as_promised_is_refused_whole(folder: Path, content: dict, told: str):
    (folder / "one.bin").write_bytes(b"old")
    assert told in _refusal(packed(content), folder)
    assert held(folder) == {"one.bin": b"old"}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["archive", "folder"]


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"PK\x03\x04" + bytes(600), packed(GOOD)[:3]])
def test_what_is_no_tar_archive_is_refused(folder: Path, content: bytes):
    assert "not a whole tar archive" in _refusal(content, folder)
    assert held(folder) == {}


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_half_an_archive_is_refused(folder: Path, compression: str):
    whole = packed(GOOD, compression)
    assert _refusal(whole[: len(whole) // 2], folder)
    assert held(folder) == {}


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
            assert held(folder) == {}
        else:
            assert held(folder) == CONTENTS
