"""What went wrong, said to the person who can mend it."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ModelyardError(Exception):
    """A mistake in settings, data or surroundings; its text says what was given, what is allowed and what to do."""


@contextmanager
def explained() -> Iterator[None]:
    """End the process with one clear message, and no traceback, for every error that a person can mend."""
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
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EACCES: _GIVE_ACCESS,
    errno.EPERM: _GIVE_ACCESS,
    errno.EROFS: "The file system is read-only: work in a checkout on a writable disk.",
}
