"""The log of a server: bounded files that `modelyard check` knows by their names."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.serving.request_log import RequestLog, is_log


def test_no_file_becomes_larger_than_the_limit(tmp_path):
    log = RequestLog(tmp_path / "new" / "requests.jsonl", 0.001)
    of_line = len(json.dumps({"input": ""})) + 1
    lengths = [1000 - of_line, 1000 - of_line - 1, 10, 400, 400, 400]
    assert [log.write({"input": "x" * length}) for length in lengths] == [False] + [True] * 5
    files = sorted((tmp_path / "new").glob("[!.]*"))
    assert [file.name for file in files] == ["requests.jsonl", "requests.jsonl.1"]
    assert all(file.stat().st_size <= 1000 and is_log(file) for file in files)


@pytest.mark.parametrize("name", ["requests.log", "requests", "requests.jsonl.1"])
def test_a_name_that_check_does_not_know_is_refused(name):
    with pytest.raises(ModelyardError, match=r"knows a log by its ending; give a name such as requests.*\.jsonl"):
        RequestLog(Path(name), 1)


@pytest.mark.parametrize("others", ["", "another's\n"])
def test_a_log_that_was_deleted_or_replaced_goes_on_in_the_file_of_its_name(tmp_path, others):
    file = tmp_path / "requests.jsonl"
    log = RequestLog(file, 1)
    assert log.write({"input": "lost with the file"})
    file.unlink()
    if others:
        file.write_text(others)
    assert log.write({"input": "kept"})
    assert file.read_text() == others + '{"input": "kept"}\n'


def test_a_second_server_with_the_same_log_is_refused(tmp_path):
    log = RequestLog(tmp_path / "requests.jsonl", 1)
    with pytest.raises(ModelyardError, match=r"another server logs to it; give each a file of its own"):
        RequestLog(tmp_path / "requests.jsonl", 1)
    del log
    assert RequestLog(tmp_path / "requests.jsonl", 1).write({"input": "of the next"})


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("length", [100, 50_000])  # shorter and longer than what a file holds back
def test_a_line_that_cannot_be_written_leaves_no_part_and_one_warning_without_its_content(
    tmp_path, caplog, capfd, length
):
    log = RequestLog(tmp_path / "requests.jsonl", 1)
    lost, kept = {"input": "secret" * length}, {"input": "kept"}
    assert log.write(kept)
    with full_disk(200):
        assert [log.write(lost), log.write(lost)] == [False, False]
    assert log.write(kept)
    with full_disk(200):
        assert not log.write(lost)
    assert [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()] == [kept, kept]
    assert caplog.messages == ["requests are not logged: [Errno 27] File too large"] * 2
    assert "secret" not in "".join(capfd.readouterr())
