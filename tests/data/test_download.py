"""Raw files are verified, come from the first location that has them, and fail fast where none does."""

import errno
import gzip
import hashlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.archives import CONTENTS, GOOD, MEMBERS, TWO, file_contents, packed
from support.images import make_folder

from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data import download
from modelyard.data.download import FileSet, HostReachability
from modelyard.data.mirrors import Cache
from modelyard.data.sources import Source
from modelyard.data.trees import checksum_of

CONTENT = b"content of a raw file\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """A loopback server; `answers` holds for each path the (status, body, promised length) of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, bytes, int]]] = {}
        self.requests: list[str] = []

    def serve(self, path: str, *answers: tuple[int, bytes], promised: int | None = None) -> str:
        """Answer requests for a path in this order, the last one for ever; return its URL."""
        self.answers[path] = [(status, body, promised or len(body)) for status, body in answers]
        return f"{self.url}{path}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        waiting = self.server.answers.get(self.path, [(404, b"", 0)])
        status, body, promised = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        self.send_response(status)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def closed() -> str:
    """The address of a loopback port without a server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def mirror_folder(tmp_path: Path) -> Path:
    """A folder mirror with the right file."""
    (tmp_path / "mirror" / "made-up").mkdir(parents=True)
    (tmp_path / "mirror" / "made-up" / "a.gz").write_bytes(CONTENT)
    return tmp_path / "mirror"


def _set(url: str, *mirrors: object) -> FileSet:
    return FileSet({"a.gz": Source(url=url, sha256=SHA256)}, "made-up", tuple(map(str, mirrors)))


def _failure(files: FileSet, target: Path) -> str:
    with pytest.raises(ModelyardError) as raised:
        files.fetch(target)
    return str(raised.value)


def test_a_good_file_is_downloaded_and_its_origin_returned(server: Server, tmp_path: Path):
    url = server.serve("/a.gz", (200, CONTENT))
    assert _set(url).fetch(tmp_path / "raw") == {"a.gz": url}
    assert (tmp_path / "raw" / "a.gz").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["a.gz"]


@pytest.mark.parametrize(
    ("status", "body", "promised", "reason", "requests"),
    [
        pytest.param(404, b"", None, "404", 1, id="not there"),
        pytest.param(403, b"", None, "403", 1, id="forbidden"),
        pytest.param(503, b"", None, "503", 2, id="down for long"),
        pytest.param(200, CONTENT[:-9], len(CONTENT), "9 more expected", 2, id="cut off"),
        pytest.param(200, CONTENT + b"!", None, f"params.yaml has {SHA256}", 1, id="tampered"),
        pytest.param(200, b"", None, "wrong content", 1, id="empty"),
    ],
)
def test_a_bad_answer_leaves_the_old_file_and_is_refused(
    server: Server, tmp_path: Path, monkeypatch, status: int, body: bytes, promised: int, reason: str, requests: int
):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    (tmp_path / "a.gz").write_bytes(b"old")
    url = server.serve("/a.gz", (status, body), promised=promised)
    message = _failure(_set(url), tmp_path)
    assert f"{url}: " in message
    assert reason in message
    assert len(server.requests) == requests
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    assert (tmp_path / "a.gz").read_bytes() == b"old"


def test_a_transient_failure_is_retried(server: Server, tmp_path: Path):
    url = server.serve("/a.gz", (503, b"later"), (200, CONTENT))
    assert _set(url).fetch(tmp_path) == {"a.gz": url}
    assert len(server.requests) == 2


def test_too_many_requests_is_retried(server: Server, tmp_path: Path):
    url = server.serve("/a.gz", (429, b"slower"), (200, CONTENT))
    assert _set(url).fetch(tmp_path) == {"a.gz": url}


def test_a_folder_mirror_comes_before_the_public_address(server: Server, tmp_path: Path, mirror_folder: Path):
    files = _set(server.serve("/a.gz", (200, CONTENT)), mirror_folder)
    assert files.fetch(tmp_path / "raw") == {"a.gz": str(mirror_folder / "made-up" / "a.gz")}
    assert server.requests == []


def test_a_url_mirror_comes_before_the_public_address(server: Server, tmp_path: Path):
    mirrored = server.serve("/mirror/made-up/a.gz", (200, CONTENT))
    public = server.serve("/a.gz", (200, CONTENT))
    assert _set(public, f"{server.url}/mirror/").fetch(tmp_path) == {"a.gz": mirrored}
    assert server.requests == ["/mirror/made-up/a.gz"]


def test_a_bad_mirror_falls_back_to_the_next_and_then_to_the_public_address(
    server: Server, closed: str, tmp_path: Path, mirror_folder: Path
):
    (mirror_folder / "made-up" / "a.gz").write_bytes(b"tampered")
    url = server.serve("/a.gz", (200, CONTENT))
    files = _set(url, tmp_path / "no-mirror", mirror_folder, closed, f"{server.url}/mirror")
    assert files.fetch(tmp_path / "raw") == {"a.gz": url}
    assert server.requests == ["/mirror/made-up/a.gz", "/a.gz"]


def test_a_verified_file_that_is_here_is_not_fetched_again(server: Server, tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(CONTENT)
    before = (tmp_path / "a.gz").stat().st_mtime_ns
    assert _set(server.serve("/a.gz", (200, CONTENT))).fetch(tmp_path) == {"a.gz": "already here, verified"}
    assert server.requests == []
    assert (tmp_path / "a.gz").stat().st_mtime_ns == before


def test_a_wrong_file_that_is_here_is_replaced(server: Server, tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(b"wrong")
    _set(server.serve("/a.gz", (200, CONTENT))).fetch(tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_stray_files_are_removed(tmp_path: Path, mirror_folder: Path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for stray in ("renamed.gz", ".a.gz.4242.part"):
        (raw / stray).write_bytes(b"left over")
    _set("http://127.0.0.1:9/a.gz", mirror_folder).fetch(raw)
    assert [path.name for path in raw.iterdir()] == ["a.gz"]


def test_stray_folders_are_removed(tmp_path: Path):
    (tmp_path / "raw" / "unpacked").mkdir(parents=True)
    FileSet({"a.csv": Source(text="a\n")}, "", ()).fetch(tmp_path / "raw")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["a.csv"]


def test_a_failure_names_every_address_and_what_to_do(server: Server, closed: str, tmp_path: Path):
    message = _failure(_set(f"{server.url}/a.gz", tmp_path / "mirror", closed), tmp_path / "raw")
    assert message.startswith("Not available: a.gz.\nTried:\n")
    assert f"  {tmp_path}/mirror/made-up/a.gz: no such file\n" in message
    assert f"  {closed}/made-up/a.gz: no answer within 2 s\n" in message
    assert f"  {server.url}/a.gz: " in message
    assert "put the file at <mirror>/made-up/<file>" in message
    assert "MODELYARD_MIRROR=<mirror>" in message
    assert "fetch.mirrors" in message


def test_a_failure_keeps_the_other_files(server: Server, tmp_path: Path):
    good = Source(url=server.serve("/good.gz", (200, CONTENT)), sha256=SHA256)
    bad = Source(url=f"{server.url}/bad.gz", sha256=SHA256)
    message = _failure(FileSet({"good.gz": good, "bad.gz": bad}, "made-up", ()), tmp_path)
    assert "Not available: bad.gz." in message
    assert "Not available: good.gz" not in message
    assert (tmp_path / "good.gz").read_bytes() == CONTENT


def test_a_full_disk_is_not_reported_as_a_bad_address(server: Server, tmp_path: Path, monkeypatch):
    def full(url: str, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_download", full)
    (tmp_path / "a.gz").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        _set(f"{server.url}/a.gz").fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    assert (tmp_path / "a.gz").read_bytes() == b"old"


def test_silent_hosts_cost_one_wait_for_any_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked, released = [], threading.Event()

    def silent(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        released.wait(60)  # as long as a name look-up may hang: no timeout of ours ends it
        raise OSError

    monkeypatch.setattr(socket, "create_connection", silent)
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.2)
    sources = {f"{n}.gz": Source(url=f"http://silent-{n % 20}.invalid/{n}", sha256=SHA256) for n in range(60)}
    files = FileSet(sources, "made-up", ("http://mirror.invalid",))
    started = time.monotonic()
    reach = HostReachability(files.all_addresses())
    assert len(files.unreachable(tmp_path, reach)) == 60
    assert "no answer within 0.2 s" in _failure(files, tmp_path)
    assert time.monotonic() - started < 4  # one wait a host would cost 8 s, one a file 24 s
    assert len(asked) == 2 * 21  # each host once for `unreachable` and once for `fetch`
    released.set()


def test_a_closed_port_costs_no_wait(closed: str, tmp_path: Path):
    sources = {f"{n}.gz": Source(url=f"{closed}/{n}", sha256=SHA256) for n in range(30)}
    started = time.monotonic()
    _failure(FileSet(sources, "made-up", ()), tmp_path)
    assert time.monotonic() - started < download.CONNECT_SECONDS


def test_a_proxy_that_is_no_address_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://ann:hush:8080:x")
    with pytest.raises(ModelyardError, match=r"Correct http_proxy in the environment") as raised:
        HostReachability(["http://example.invalid/a.gz"])
    assert "hush" not in str(raised.value)


def test_the_proxy_is_tried_instead_of_the_host(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.server_port}")
    assert HostReachability(["http://behind-the-proxy.invalid/a.gz"]).reachable("http://behind-the-proxy.invalid/a.gz")


def test_a_file_of_a_package_is_copied_and_verified(tmp_path: Path):
    package = "sklearn/datasets/data/digits.csv.gz"
    known = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    files = FileSet({"digits.csv.gz": Source(package=package, sha256=known)}, "", ())
    assert files.fetch(tmp_path)["digits.csv.gz"].endswith(package)
    assert sha256(tmp_path / "digits.csv.gz") == known


def test_a_package_that_is_not_installed_is_refused(tmp_path: Path):
    files = FileSet({"a.csv": Source(package="no_such_package/a.csv", sha256=SHA256)}, "", ())
    assert "no_such_package" in _failure(files, tmp_path)


def test_an_own_file_is_found_from_the_root_of_the_project(tmp_path: Path):
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    files = FileSet({"a.csv": Source(path="mine.csv", sha256=SHA256)}, "", ("/mirror",), root=tmp_path)
    assert files.fetch(tmp_path / "raw") == {"a.csv": str(tmp_path / "mine.csv")}
    assert (tmp_path / "raw" / "a.csv").read_bytes() == CONTENT


def test_an_edited_own_file_is_refused_with_its_new_checksum_although_its_copy_is_verified(tmp_path):
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    files = FileSet({"a.csv": Source(path="mine.csv", sha256=SHA256)}, "", (), root=tmp_path)
    files.fetch(tmp_path / "raw")
    assert files.edited_messages() == {}
    (tmp_path / "mine.csv").write_bytes(b"edited")
    now = hashlib.sha256(b"edited").hexdigest()
    message = files.edited_messages()["a.csv"]
    assert message.startswith(f"mine.csv is not the file that params.yaml means: its SHA256 is {now}, ")
    assert f"write sha256: {now} there;" in message
    assert _failure(files, tmp_path / "raw") == message
    assert (tmp_path / "raw" / "a.csv").read_bytes() == CONTENT
    (tmp_path / "mine.csv").unlink()
    assert files.edited_messages() == {}
    assert files.fetch(tmp_path / "raw") == {"a.csv": "already here, verified"}


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ({"path": "lost.csv"}, "put your file there, or write in params.yaml the `path` where it is."),
        ({"package": "no_such_package/a.csv"}, "install the libraries again: make install."),
    ],
)
def test_the_remedy_for_a_local_file_does_not_name_the_network(tmp_path: Path, source: dict, advice: str):
    message = _failure(FileSet({"a.csv": Source(**source, sha256=SHA256)}, "", (), root=tmp_path), tmp_path / "raw")
    assert message.endswith(f"What to do: {advice}")
    assert "network" not in message


def test_text_in_the_settings_is_written_as_it_stands(tmp_path: Path):
    assert FileSet({"a.csv": Source(text="ä,b\n")}, "", ()).fetch(tmp_path) == {"a.csv": "params.yaml"}
    assert (tmp_path / "a.csv").read_bytes() == "ä,b\n".encode()


def test_only_files_without_a_copy_and_a_reachable_address_are_unreachable(
    server: Server, closed: str, tmp_path: Path, mirror_folder: Path
):
    (tmp_path / "here.gz").write_bytes(b"whatever")
    sources = {
        "here.gz": Source(url=f"{closed}/here.gz", sha256=SHA256),
        "a.gz": Source(url=f"{closed}/a.gz", sha256=SHA256),
        "text.csv": Source(text="a"),
        "answers.gz": Source(url=f"{server.url}/answers.gz", sha256=SHA256),
        "nowhere.gz": Source(url=f"{closed}/nowhere.gz", sha256=SHA256),
        "lost.csv": Source(path="lost.csv", sha256=SHA256),
    }
    files = FileSet(sources, "made-up", (str(mirror_folder),), root=tmp_path)
    assert files.unreachable(tmp_path, HostReachability(files.all_addresses())) == {
        "nowhere.gz": [f"{mirror_folder}/made-up/nowhere.gz", f"{closed}/nowhere.gz"],
        "lost.csv": [str(tmp_path / "lost.csv")],
    }
    assert server.requests == []


ARCHIVE, OTHER = packed(GOOD, "gz"), packed(GOOD, "xz")


def _archive(url: str, *mirrors: object, content: bytes = ARCHIVE) -> FileSet:
    source = Source(
        url=url, sha256=hashlib.sha256(content).hexdigest(), members=MEMBERS,
        alternatives={"a.tar.xz": hashlib.sha256(OTHER).hexdigest()},
    )  # fmt: skip
    return FileSet({"a.tar.gz": source}, "made-up", tuple(map(str, mirrors)))


def _keep(mirror: Path, name: str, content: bytes) -> str:
    (mirror / "made-up").mkdir(parents=True, exist_ok=True)
    (mirror / "made-up" / name).write_bytes(content)
    return str(mirror / "made-up" / name)


def test_an_archive_is_downloaded_and_only_its_members_are_kept(server: Server, tmp_path: Path, capfd):
    url = server.serve("/a.tar.gz", (200, ARCHIVE))
    assert _archive(url).fetch(tmp_path) == {"a.tar.gz": url}
    assert file_contents(tmp_path) == CONTENTS
    assert "a.tar.gz: unpacking\n" in capfd.readouterr().err


def test_a_mirror_may_hold_another_archive_of_the_same_members(server: Server, tmp_path: Path):
    kept = _keep(tmp_path / "mirror", "a.tar.xz", OTHER)
    files = _archive(server.serve("/a.tar.gz", (200, ARCHIVE)), tmp_path / "mirror")
    assert files.fetch(tmp_path / "raw") == {"a.tar.gz": kept}
    assert file_contents(tmp_path / "raw") == CONTENTS
    assert server.requests == []


def test_addresses_are_the_archive_and_its_alternatives_of_each_mirror_then_the_public_one():
    assert _archive("http://public/b.tgz", "/one", "http://two/").addresses("a.tar.gz") == [
        "/one/made-up/a.tar.gz",
        "/one/made-up/a.tar.xz",
        "http://two/made-up/a.tar.gz",
        "http://two/made-up/a.tar.xz",
        "http://public/b.tgz",
    ]


def test_an_alternative_has_a_checksum_of_its_own(server: Server, tmp_path: Path):
    wrong = _keep(tmp_path / "mirror", "a.tar.xz", ARCHIVE)
    files = _archive(f"{server.url}/a.tar.gz", tmp_path / "mirror")
    message = _failure(files, tmp_path / "raw")
    assert f"{wrong}: wrong content: its SHA256 is {hashlib.sha256(ARCHIVE).hexdigest()}" in message
    assert file_contents(tmp_path / "raw") == {}


def test_members_that_are_here_and_verified_are_not_fetched_again(server: Server, tmp_path: Path):
    files = _archive(server.serve("/a.tar.gz", (200, ARCHIVE)))
    files.fetch(tmp_path)
    assert files.fetch(tmp_path) == {"a.tar.gz": "already here, verified"}
    assert server.requests == ["/a.tar.gz"]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"altered")], ids=["gone", "altered"])
def test_a_missing_or_altered_member_fetches_the_archive_again(server: Server, tmp_path: Path, spoil):
    files = _archive(server.serve("/a.tar.gz", (200, ARCHIVE)))
    files.fetch(tmp_path)
    spoil(tmp_path / "two.bin")
    files.fetch(tmp_path)
    assert file_contents(tmp_path) == CONTENTS
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ARCHIVE[:-99], "not a complete tar archive"),
        (b"<html>Moved</html>", "not a complete tar archive"),
        (packed({"one.bin": CONTENTS["one.bin"]}), "lacks two.bin"),
        (packed(GOOD | {TWO: b"altered"}), "two.bin in the archive has the MD5"),
        (packed({"../stray.bin": b""} | GOOD), "a path that leads outside"),
    ],
    ids=["truncated", "no archive", "missing member", "altered member", "path outside"],
)
def test_a_refused_archive_changes_nothing_and_the_next_location_is_tried(
    server: Server, closed: str, tmp_path: Path, content: bytes, expected: str
):
    raw, kept = tmp_path / "raw", _keep(tmp_path / "mirror", "a.tar.gz", content)
    raw.mkdir()
    (raw / "one.bin").write_bytes(b"old")
    message = _failure(_archive(f"{closed}/a.tar.gz", tmp_path / "mirror", content=content), raw)
    assert f"  {kept}: " in message
    assert expected in message
    assert file_contents(raw) == {"one.bin": b"old"}
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("raw", "mirror")] == []
    good = _keep(tmp_path / "second", "a.tar.xz", OTHER)
    files = _archive(f"{closed}/a.tar.gz", tmp_path / "mirror", tmp_path / "second", content=content)
    assert files.fetch(raw) == {"a.tar.gz": good}
    assert file_contents(raw) == CONTENTS


def test_a_download_that_is_cut_off_unpacks_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    url = server.serve("/a.tar.gz", (200, ARCHIVE[:-9]), promised=len(ARCHIVE))
    assert "9 more expected" in _failure(_archive(url), tmp_path)
    assert file_contents(tmp_path) == {}


def test_an_own_archive_is_unpacked_too(tmp_path: Path):
    (tmp_path / "mine.tar.gz").write_bytes(ARCHIVE)
    source = Source(path="mine.tar.gz", sha256=hashlib.sha256(ARCHIVE).hexdigest(), members=MEMBERS)
    FileSet({"mine": source}, "", (), root=tmp_path).fetch(tmp_path / "raw")
    assert file_contents(tmp_path / "raw") == CONTENTS


def test_an_archive_is_unreachable_where_a_member_and_every_archive_are_missing(closed: str, tmp_path: Path):
    raw, mirror = tmp_path / "raw", tmp_path / "mirror"
    files = _archive(f"{closed}/a.tar.gz", mirror)
    reach = HostReachability(files.all_addresses())
    raw.mkdir()
    (raw / "one.bin").write_bytes(b"whatever")
    asked = [f"{mirror}/made-up/a.tar.gz", f"{mirror}/made-up/a.tar.xz", f"{closed}/a.tar.gz"]
    assert not files.is_present("a.tar.gz", raw)
    assert files.unreachable(raw, reach) == {"a.tar.gz": asked}
    assert "Not available: a.tar.gz or a.tar.xz." in _failure(files, raw)
    (raw / "two.bin").write_bytes(b"whatever")
    assert files.is_present("a.tar.gz", raw)
    assert files.unreachable(raw, reach) == {}
    (raw / "two.bin").unlink()
    _keep(mirror, "a.tar.xz", OTHER)
    assert files.unreachable(raw, reach) == {}


def test_strays_beside_members_are_removed(tmp_path: Path):
    _keep(tmp_path / "mirror", "a.tar.gz", ARCHIVE)
    _keep(tmp_path / "raw" / "unpacked", "one.bin", b"stray")
    _keep(tmp_path / "raw", "a.tar.gz", ARCHIVE)
    _archive("http://127.0.0.1:9/a.tar.gz", tmp_path / "mirror").fetch(tmp_path / "raw")
    assert file_contents(tmp_path / "raw") == CONTENTS


def test_a_file_that_was_published_with_an_md5_is_verified_by_it(server: Server, tmp_path: Path):
    url = server.serve("/a.gz", (200, CONTENT))
    right = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    assert FileSet({"a.gz": Source(url=url, md5=right)}, "made-up", ()).fetch(tmp_path) == {"a.gz": url}
    message = _failure(FileSet({"a.gz": Source(url=url, md5="0" * 32)}, "made-up", ()), tmp_path)
    assert f"wrong content: its MD5 is {right}, params.yaml has {'0' * 32}" in message
    assert file_contents(tmp_path) == {"a.gz": CONTENT}


def test_public_addresses_are_tried_in_turn_and_the_download_is_kept_in_the_cache(
    server: Server, closed: str, tmp_path: Path, capfd
):
    dead = [f"{closed}/a.gz", f"{server.url}/missing.gz", server.serve("/wrong.gz", (200, b"another file"))]
    good = server.serve("/good.gz", (200, CONTENT))
    cache = Cache(tmp_path / "cache")
    source = Source(url=(*dead, good), sha256=SHA256)
    files = FileSet({"a.gz": source}, "made-up", (str(cache.folder),), cache=cache)
    assert files.fetch(tmp_path / "raw") == {"a.gz": good}
    assert server.requests == ["/missing.gz", "/wrong.gz", "/good.gz"]
    assert f"note: {dead[2]} was ignored: wrong content: its SHA256 is " in capfd.readouterr().err
    assert [path.name for path in (cache.folder / "made-up").iterdir()] == ["a.gz"]
    # Another checkout, without a network.
    server.shutdown()
    server.server_close()
    assert files.fetch(tmp_path / "other") == {"a.gz": str(cache.folder / "made-up" / "a.gz")}
    assert (tmp_path / "other" / "a.gz").read_bytes() == CONTENT


def test_a_file_that_was_not_downloaded_is_not_kept_in_the_cache(tmp_path: Path, mirror_folder: Path):
    cache = Cache(tmp_path / "cache")
    source = Source(url="http://127.0.0.1:9/a.gz", sha256=SHA256)
    FileSet({"a.gz": source}, "made-up", (str(cache.folder), str(mirror_folder)), cache=cache).fetch(tmp_path / "raw")
    assert not cache.folder.exists()


@pytest.mark.parametrize("is_downloaded", [True, False], ids=["downloaded", "from a mirror"])
def test_a_corrupt_cached_file_is_ignored_with_a_note_and_replaced(
    server: Server, tmp_path: Path, mirror_folder: Path, capfd, is_downloaded: bool
):
    cache = Cache(tmp_path / "cache")
    cached = Path(_keep(cache.folder, "a.gz", b"half of the fi"))
    source = Source(url=server.serve("/a.gz", (200, CONTENT)), sha256=SHA256)
    mirrors = (str(cache.folder), *([] if is_downloaded else [str(mirror_folder)]))
    FileSet({"a.gz": source}, "made-up", mirrors, cache=cache).fetch(tmp_path / "raw")
    assert f"note: {cached} was ignored: wrong content: its SHA256 is " in capfd.readouterr().err
    assert cached.read_bytes() == CONTENT
    assert len(server.requests) == is_downloaded


def test_a_cache_that_cannot_be_written_costs_one_line_and_nothing_else(server: Server, tmp_path: Path, capfd):
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")
    cache = Cache(tmp_path / "cache")
    sources = {f"{n}.gz": Source(url=server.serve(f"/{n}.gz", (200, CONTENT)), sha256=SHA256) for n in range(3)}
    files = FileSet(sources, "made-up", (str(cache.folder),), cache=cache)
    assert set(files.fetch(tmp_path / "raw").values()) == {f"{server.url}/{n}.gz" for n in range(3)}
    assert capfd.readouterr().err.count("downloads are not kept in") == 1


def test_the_cache_keeps_an_archive_as_it_was_downloaded(server: Server, tmp_path: Path):
    cache = Cache(tmp_path / "cache")
    mirrored = server.serve("/mirror/made-up/a.tar.xz", (200, OTHER))
    files = replace(_archive(f"{server.url}/a.tar.gz", cache.folder, f"{server.url}/mirror"), cache=cache)
    assert files.fetch(tmp_path / "raw") == {"a.tar.gz": mirrored}
    assert file_contents(cache.folder / "made-up") == {"a.tar.xz": OTHER}
    assert files.fetch(tmp_path / "other") == {"a.tar.gz": str(cache.folder / "made-up" / "a.tar.xz")}
    assert file_contents(tmp_path / "other") == CONTENTS


DECOMPRESSED = FileSet({"a.gz": Source(url="http://127.0.0.1:9/a.gz", decompressed=SHA256)}, "made-up", ())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(CONTENT, compresslevel=9, mtime=0), id="gzip"),
        pytest.param(gzip.compress(CONTENT, compresslevel=1, mtime=1), id="compressed again"),
        pytest.param(CONTENT, id="not compressed"),
    ],
)
def test_the_content_of_a_gzip_file_is_verified_and_kept_however_it_is_compressed(tmp_path: Path, content: bytes):
    kept = _keep(tmp_path / "mirror", "a.gz", content)
    files = replace(DECOMPRESSED, mirrors=(str(tmp_path / "mirror"),))
    assert files.fetch(tmp_path / "raw") == {"a.gz": kept}
    assert file_contents(tmp_path / "raw") == {"a": CONTENT}
    assert files.is_present("a.gz", tmp_path / "raw")
    assert files.fetch(tmp_path / "raw") == {"a.gz": "already here, verified"}
    (tmp_path / "raw" / "a").write_bytes(gzip.compress(CONTENT))  # the right content, but other bytes than elsewhere
    assert files.fetch(tmp_path / "raw") == {"a.gz": kept}
    assert file_contents(tmp_path / "raw") == {"a": CONTENT}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"other", mtime=0), "wrong content: its decompressed content has the SHA256 "),
        (gzip.compress(CONTENT, mtime=0)[:-9], "not a complete gzip file ("),
        (gzip.compress(CONTENT, mtime=0) + b"more", "not a complete gzip file ("),
        (gzip.compress(gzip.compress(CONTENT)), "wrong content: "),
        (b"", "wrong content: "),
    ],
    ids=["another file", "cut off", "something behind", "compressed twice", "empty"],
)
def test_a_gzip_file_with_another_content_is_refused_and_leaves_the_old_one(
    tmp_path: Path, content: bytes, reason: str
):
    kept = _keep(tmp_path / "mirror", "a.gz", content)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_bytes(b"old")
    message = _failure(replace(DECOMPRESSED, mirrors=(str(tmp_path / "mirror"),)), tmp_path / "raw")
    assert f"  {kept}: {reason}" in message
    assert file_contents(tmp_path / "raw") == {"a": b"old"}


def test_the_error_for_a_data_set_that_debian_has_names_the_package_in_its_first_line(tmp_path: Path):
    message = _failure(replace(DECOMPRESSED, debian="dataset-made-up"), tmp_path)
    assert message.startswith("Not available: a.gz. On Debian or Ubuntu: apt-get install dataset-made-up.\nTried:\n")


def test_the_password_of_a_mirror_is_never_shown(tmp_path: Path):
    source = Source(url="http://127.0.0.1:9/public", sha256=SHA256)
    files = FileSet({"a.bin": source}, "data", ("http://someone:s3cr3t@127.0.0.1:9/mirror",), tmp_path)
    with pytest.raises(ModelyardError) as failed:
        files.fetch(tmp_path / "raw")
    missing = files.unreachable(tmp_path / "raw", HostReachability(files.all_addresses()))
    for text in (str(failed.value), files.unavailable_message(missing)):
        assert "://...@127.0.0.1:9/mirror/data/a.bin" in text
        assert "s3cr3t" not in text


def test_the_password_of_a_mirror_that_answers_is_not_shown_either(server: Server, tmp_path: Path, capfd):
    for name, content in (("wrong", b"another file"), ("good", CONTENT)):
        server.serve(f"/{name}/made-up/a.gz", (200, content))
    with_password, public = server.url.replace("://", "://someone:s3cr3t@"), f"{server.url}/a.gz"
    missing, wrong, good = (f"{with_password}/{name}" for name in ("missing", "wrong", "good"))
    message = _failure(_set(public, missing), tmp_path / "raw")
    origin = _set(public, wrong, good).fetch(tmp_path / "raw")["a.gz"]
    shown = server.url.replace("://", "://...@")
    assert f"{shown}/missing/made-up/a.gz: HTTPError: 404" in message
    assert origin == f"{shown}/good/made-up/a.gz"
    printed = capfd.readouterr().err
    assert f"note: {shown}/wrong/made-up/a.gz was ignored: wrong content" in printed
    assert "s3cr3t" not in message + printed


# --- folders of one's own ---


def _folder_set(root: Path) -> FileSet:
    tree = checksum_of(make_folder(root / "photos"))
    return FileSet({"photos.tar": Source(path="photos", tree=tree)}, "", (), root=root)


def test_an_own_folder_is_kept_as_one_archive_of_its_files_and_nothing_is_written_into_it(tmp_path: Path):
    files = _folder_set(tmp_path)
    (tmp_path / "photos/.DS_Store").touch()
    before = sorted(tmp_path.glob("photos/**/*"))
    assert files.fetch(tmp_path / "raw") == {"photos.tar": str(tmp_path / "photos")}
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["photos.tar"]
    assert checksum_of(tmp_path / "raw/photos.tar") == checksum_of(tmp_path / "photos")
    assert files.fetch(tmp_path / "raw") == {"photos.tar": "already here, verified"}
    assert sorted(tmp_path.glob("photos/**/*")) == before


def test_an_own_folder_that_is_edited_missing_or_a_file_is_refused_and_the_copy_is_kept(tmp_path: Path):
    files = _folder_set(tmp_path)
    (tmp_path / "photos/dark/000.png").write_bytes(b"other")
    with pytest.raises(ModelyardError, match="photos is not the folder that"):
        files.fetch(tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
    shutil.rmtree(tmp_path / "photos")
    make_folder(tmp_path / "photos")
    files.fetch(tmp_path / "raw")
    kept = (tmp_path / "raw/photos.tar").read_bytes()
    shutil.rmtree(tmp_path / "photos")
    assert files.fetch(tmp_path / "raw") == {"photos.tar": "already here, verified"}
    (tmp_path / "photos").write_text("a file")
    with pytest.raises(ModelyardError, match="a file, not a folder"):
        files.fetch(tmp_path / "elsewhere")
    with pytest.raises(ModelyardError, match="a folder, not a file"):
        FileSet({"a": Source(path="raw", sha256=SHA256)}, "", (), root=tmp_path).fetch(tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "raw/photos.tar").read_bytes() == kept
