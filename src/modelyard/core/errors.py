"""Errors that the user can correct, reported as one message instead of a traceback."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ModelyardError(Exception):
    """A mistake in settings, data or environment; the text says what was given, what is allowed and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the name of its class if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with a message and exit code 1, without a traceback, on an error that the user can correct."""
    try:
        yield
    except ModelyardError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        sys.exit(f"error: {error.filename or 'a file'}: {error.strerror}. {_ADVICE[error.errno]}")


_MAKE_ROOM = "Free some space and run again: finished stages are kept."
_GIVE_ACCESS = "Make it readable and writable for this user and run again."
_OTHER_NAME = "Give another name, or move away what is there."
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EACCES: _GIVE_ACCESS,
    errno.EPERM: _GIVE_ACCESS,
    errno.EISDIR: _OTHER_NAME,
    errno.ENOTDIR: _OTHER_NAME,
    errno.EEXIST: _OTHER_NAME,
    errno.ELOOP: _OTHER_NAME,
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.EIO: "The disk or the connection to it may be damaged: work on another one.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n) and run again.",
    errno.EROFS: "The file system is read-only: work in a checkout on a writable disk.",
}
