"""Errors that the user can correct end in one message; all others keep their traceback."""

import errno
import os

import pytest

from modelyard.core.errors import ModelyardError, exit_on_error


def _exit_message(error: Exception) -> str:
    with pytest.raises(SystemExit) as ended, exit_on_error():
        raise error
    return str(ended.value)


def test_no_error_changes_nothing():
    with exit_on_error():
        worked = True
    assert worked


def test_a_modelyard_error_ends_the_process_with_its_text():
    assert _exit_message(ModelyardError("params.yaml: no such key: epoch")) == "error: params.yaml: no such key: epoch"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space and run again"),
        (errno.EDQUOT, "Free some space and run again"),
        (errno.EACCES, "Make it readable and writable"),
        (errno.EPERM, "Make it readable and writable"),
        (errno.EISDIR, "Give another name"),
        (errno.ENAMETOOLONG, "Give a shorter name"),
        (errno.EROFS, "work in a checkout on a writable disk"),
    ],
)
def test_what_the_system_refuses_is_reported_with_file_reason_and_advice(number: int, advice: str):
    message = _exit_message(OSError(number, os.strerror(number), "results/x/history.csv"))
    assert message.startswith(f"error: results/x/history.csv: {os.strerror(number)}. ")
    assert advice in message


def test_an_error_without_a_file_is_reported_too():
    assert _exit_message(OSError(errno.ENOSPC, "No space left on device")).startswith(
        "error: a file: No space left on device."
    )


@pytest.mark.parametrize("error", [OSError(errno.EPIPE, "Broken pipe"), OSError("no number"), ValueError("a bug")])
def test_any_other_error_keeps_its_traceback(error: Exception):
    with pytest.raises(type(error)) as raised, exit_on_error():
        raise error
    assert raised.value is error
