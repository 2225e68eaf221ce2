"""Errors that a person can mend end in one clear line; all others keep their traceback."""

import errno
import os

import pytest

from modelyard.core.errors import ModelyardError, explained


def _said(error: Exception) -> str:
    with pytest.raises(SystemExit) as ended, explained():
        raise error
    return str(ended.value)


def test_nothing_is_said_when_all_goes_well():
    with explained():
        worked = True
    assert worked


def test_a_modelyard_error_ends_the_process_with_its_text():
    assert _said(ModelyardError("params.yaml: no such key: epoch")) == "error: params.yaml: no such key: epoch"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space and run again"),
        (errno.EDQUOT, "Free some space and run again"),
        (errno.EACCES, "Make it readable and writable"),
        (errno.EPERM, "Make it readable and writable"),
        (errno.EROFS, "work in a checkout on a writable disk"),
    ],
)
def test_a_full_or_closed_disk_is_told_with_the_file_the_reason_and_what_to_do(number: int, advice: str):
    said = _said(OSError(number, os.strerror(number), "results/x/history.csv"))
    assert said.startswith(f"error: results/x/history.csv: {os.strerror(number)}. ")
    assert advice in said


def test_an_error_without_a_file_is_told_all_the_same():
    assert _said(OSError(errno.ENOSPC, "No space left on device")).startswith("error: a file: No space left on device.")


@pytest.mark.parametrize("error", [OSError(errno.EPIPE, "Broken pipe"), OSError("no number"), ValueError("a bug")])
def test_an_error_that_nobody_can_mend_keeps_its_traceback(error: Exception):
    with pytest.raises(type(error)) as raised, explained():
        raise error
    assert raised.value is error
