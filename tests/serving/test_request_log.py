"""The log of a server: bounded files that `modelyard check` knows by their names."""

import json
from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.serving.request_log import RequestLog, is_log


def test_no_file_becomes_larger_than_the_limit(tmp_path):
    log = RequestLog(tmp_path / "new" / "requests.jsonl", 0.001)
    of_line = len(json.dumps({"input": ""})) + 1
    lengths = [1000 - of_line, 1000 - of_line - 1, 10, 400, 400, 400]
    assert [log.write({"input": "x" * length}) for length in lengths] == [False] + [True] * 5
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == ["requests.jsonl", "requests.jsonl.1"]
    assert all(file.stat().st_size <= 1000 and is_log(file) for file in files)


@pytest.mark.parametrize("name", ["requests.log", "requests", "requests.jsonl.1"])
def test_a_name_that_check_does_not_know_is_refused(name):
    with pytest.raises(ModelyardError, match=r"knows a log by its ending; give a name such as requests.*\.jsonl"):
        RequestLog(Path(name), 1)
