"""Mirrors in their order, several in one variable; a cache that fills itself and never stops a fetch."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.data.mirrors import Cache, FetchSettings, all_mirrors, find_cache, split_mirrors

SYSTEM = "/nowhere/datasets"  # of conftest.py

# After a URL, digits up to a slash are its port.
FOLDERS = st.text("ab01./~ []-", min_size=1).filter(lambda folder: not folder.partition("/")[0].isdecimal())
HOSTS = st.sampled_from(["host", "127.0.0.1", "[::1]", "ann:hush@example.org", "ann:hush@[2001:db8::7]"])
PORTS = st.sampled_from(["", ":80", ":8443"])
PATHS = st.sampled_from(["", "/", "/x", "/x/80/", "/x@y/%3A"])
URLS = st.tuples(st.sampled_from(["http://", "https://", "HTTPS://"]), HOSTS, PORTS, PATHS).map("".join)


@given(st.lists(st.one_of(URLS, FOLDERS), max_size=5))
def test_folders_and_urls_are_separated_by_colons(mirrors: list[str]):
    assert split_mirrors(":".join(mirrors)) == mirrors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (":/a::b:", ["/a", "b"]),
        ("https://host:8443/x:/a", ["https://host:8443/x", "/a"]),
        ("https://host:8443:http://host:folder", ["https://host:8443", "http://host", "folder"]),
        ("/a:http://[::1]:80/x", ["/a", "http://[::1]:80/x"]),
    ],
)
def test_colons_of_urls_do_not_separate(text: str, expected: list[str]):
    assert split_mirrors(text) == expected


def test_mirrors_are_those_of_the_environment_of_params_the_cache_and_the_system(tmp_path, monkeypatch):
    settings = FetchSettings(mirrors=("../beside", "https://mirror.example/data"))
    named = (str(tmp_path.parent / "beside"), "https://mirror.example/data")
    assert all_mirrors(settings, tmp_path) == (*named, SYSTEM)
    monkeypatch.setenv("MODELYARD_MIRROR", "/from/environment:within:http://[::1]:80/x")
    assert all_mirrors(settings, tmp_path, Cache(Path("/the/cache"))) == (
        "/from/environment", str(tmp_path / "within"), "http://[::1]:80/x", *named, "/the/cache", SYSTEM,
    )  # fmt: skip


def test_mirrors_left_empty_are_none(tmp_path: Path):
    assert all_mirrors(FetchSettings(mirrors=None), tmp_path) == (SYSTEM,)


def test_a_mirror_in_the_home_of_nobody_is_a_folder_of_that_name(tmp_path: Path):
    assert all_mirrors(FetchSettings(mirrors=("~no-such-user/x",)), tmp_path)[0] == f"{tmp_path}/~no-such-user/x"


def test_the_cache_is_in_the_cache_folder_of_the_user_or_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv("MODELYARD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache().folder == tmp_path / "modelyard" / "datasets"
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "other"))
    assert find_cache().folder == tmp_path / "other"
    monkeypatch.setenv("MODELYARD_CACHE", "off")
    assert find_cache() is None


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch):
    for name in ("MODELYARD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where the user has neither HOME nor an entry
    assert find_cache() is None


def test_a_full_disk_is_said_once_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("NO /dev/full: this system cannot simulate a full disk")
    cache = Cache(tmp_path / "cache")
    (tmp_path / "a").write_bytes(b"new")
    (cache.folder / "data").mkdir(parents=True)
    (cache.folder / "data" / "a").write_bytes(b"old")
    monkeypatch.setattr("secrets.token_hex", lambda _: "0000")
    for _ in range(2):
        (cache.folder / "data" / ".a.0000.part").unlink(missing_ok=True)
        (cache.folder / "data" / ".a.0000.part").symlink_to("/dev/full")
        cache.add(tmp_path / "a", "data/a")
    assert capsys.readouterr().err == f"note: downloads are not kept in {cache.folder}: No space left on device\n"
    assert (cache.folder / "data" / "a").read_bytes() == b"old"


def test_several_fetches_may_add_the_same_file_at_once(tmp_path: Path, capsys):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 9000)
    caches = [Cache(tmp_path / "cache") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda cache: cache.add(tmp_path / "a", "data/a"), caches * 4))
    assert capsys.readouterr().err == ""
    (added,) = (tmp_path / "cache" / "data").iterdir()
    assert added.read_bytes() == (tmp_path / "a").read_bytes()
