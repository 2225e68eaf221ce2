"""What may be message of a file's origin, and each way to say it wrong."""

import gzip
import hashlib
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.images import make_folder

from modelyard.data.sources import Checksum, Source
from modelyard.data.trees import checksum_of

URL, SHA256, MD5 = "https://here/a.tar.gz", "0" * 64, "1" * 32


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({}, "exactly one of url, package, path, text"),
        ({"path": "a.csv", "text": "b"}, "exactly one of url, package, path, text"),
        ({"path": "a.csv"}, "sha256sum FILE"),
        ({"text": "a", "sha256": "0" * 64}, "need either sha256 or md5"),
        ({"path": "a.csv", "sha256": "0" * 64, "md5": "0" * 32}, "need either sha256 or md5"),
        ({"text": "a", "md5": "0" * 32}, "need either sha256 or md5"),
        ({"path": "a.csv", "md5": "0" * 64}, "md5"),
        ({"url": "ftp://here/a.csv", "sha256": "0" * 64}, "https?://"),
        ({"url": ("https://here/a.csv", "ftp://here/a.csv"), "sha256": "0" * 64}, "https?://"),
        ({"url": (), "sha256": "0" * 64}, "at least 1 item"),
        ({"url": URL, "sha256": "0" * 64, "decompressed": "0" * 64}, "need either sha256 or md5"),
        ({"text": "a", "decompressed": "0" * 64}, "text needs none of them"),
        ({"url": URL, "decompressed": "0" * 64, "members": {"a.bin": "0" * 32}}, "the sha256 of the archive"),
        ({"url": URL, "tree": "0" * 64}, "tree is the checksum of a folder of yours"),
        ({"path": "a", "tree": "0" * 64, "sha256": "0" * 64}, "need either sha256 or md5"),
        ({"path": "a", "tree": "0" * 64, "members": {"a.bin": "0" * 32}}, "the sha256 of the archive"),
    ],
)
def test_a_source_has_one_location_and_its_checksum(places: dict, expected: str):
    with pytest.raises(ValueError) as raised:
        Source(**places)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"members": {"a.bin": SHA256}}, ("members", "a.bin")),
        ({"members": {"../a.bin": MD5}}, ("members", "../a.bin")),
        ({"members": {"folder/a.bin": MD5}}, ("members", "folder/a.bin")),
        ({"members": {"a.bin": MD5}, "alternatives": {"a.tar.xz": MD5}}, ("alternatives", "a.tar.xz")),
    ],
)
def test_members_and_alternatives_are_plain_names_with_their_checksums(more: dict, where: tuple):
    with pytest.raises(ValidationError) as raised:
        Source(url=URL, sha256=SHA256, **more)
    assert raised.value.errors()[0]["loc"][:2] == where


@pytest.mark.parametrize("place", [{"path": "a.tar.gz", "members": {"a.bin": MD5}}, {"url": URL}])
def test_alternatives_are_archives_that_a_mirror_may_hold(place: dict):
    with pytest.raises(ValueError, match="alternatives need a url, and members"):
        Source(**place, sha256=SHA256, alternatives={"a.tar.xz": SHA256})


def test_members_of_a_text_are_refused():
    with pytest.raises(ValueError, match="members are unpacked from an archive"):
        Source(text="a", members={"a.bin": MD5})


def test_a_source_writes_its_file_or_the_members_of_its_archive():
    assert Source(url=URL, sha256=SHA256).file_names("a.tar.gz") == ("a.tar.gz",)
    assert Source(url=URL, sha256=SHA256, members={"a": MD5, "b": MD5}).file_names("a.tar.gz") == ("a", "b")
    assert Source(url=URL, decompressed=SHA256).file_names("a.idx.gz") == ("a.idx",)


def test_one_address_is_a_list_of_one():
    assert Source(url=URL, sha256=SHA256).url == (URL,)
    assert Source(url=(URL, "http://there/a"), sha256=SHA256).url == (URL, "http://there/a")


def test_an_own_gzip_file_is_edited_where_its_content_is_another(tmp_path: Path):
    content = hashlib.sha256(b"mine").hexdigest()
    source = Source(path="a.gz", decompressed=content)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"mine", mtime=1))
    assert source.edited_message(tmp_path) == ""
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"edited"))
    now = hashlib.sha256(b"edited").hexdigest()
    message = source.edited_message(tmp_path)
    assert f"its decompressed content has the SHA256 {now}, params.yaml has {content}" in message
    assert f"write decompressed: {now} there" in message
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"mine")[:-2])
    assert source.edited_message(tmp_path).startswith("a.gz is damaged: not a complete gzip file (")


def test_the_checksum_is_the_one_that_is_given():
    assert Source(url=URL, sha256=SHA256).checksum == Checksum("sha256", SHA256)
    assert Source(url=URL, md5=MD5).checksum == Checksum("md5", MD5)


def test_an_own_folder_is_edited_where_a_file_in_it_is_another(tmp_path: Path):
    folder = make_folder(tmp_path / "photos")
    tree = checksum_of(folder)
    source = Source(path="photos", tree=tree)
    assert (source.checksum, source.file_names("photos.tar")) == (Checksum("sha256", tree, tree=True), ("photos.tar",))
    assert source.edited_message(tmp_path) == ""
    (folder / "dark/new.png").write_bytes(b"new")
    message = source.edited_message(tmp_path)
    assert "photos is not the folder that params.yaml means: its files have the checksum" in message
    assert f"write tree: {checksum_of(folder)} there" in message
    (folder / "dark/link.png").symlink_to("/etc/passwd")
    assert "dark/link.png is a link that leads outside of the folder" in source.edited_message(tmp_path)
    shutil.rmtree(folder)
    assert source.edited_message(tmp_path) == ""
    assert "put your folder there" in source.remedy("")
