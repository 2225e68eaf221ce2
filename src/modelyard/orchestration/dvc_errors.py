"""What DVC refuses, as an error that names the file, the line and what to do."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.core.config import line_of, parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_text
from modelyard.orchestration import dvc_lock

PIPELINE = "dvc.yaml"
PARSED = re.compile(r"'(?P<keys>stages[^']*)' in '(?P<file>[^']+)'")  # in DVC's own messages
SHARED = re.compile(r"\n(Use `dvc remove`|To keep reproducibility).*", re.DOTALL)  # DVC's advice about two outputs
BATCH = re.compile(r"\bbatch@(\w+)")


@contextmanager
def explain_dvc_errors(root: Path) -> Iterator[None]:
    """Raise what DVC says of a project's files as a ModelyardError.

    Raises:
        ModelyardError: dvc.yaml, dvc.lock or a file of parameters is wrong, or another process holds DVC's lock.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError

    try:
        yield
    except LockError as error:
        raise ModelyardError(f"DVC: {_messages(error)}") from None
    except NotDvcRepoError as error:
        raise ModelyardError(f"DVC: {error}. Run from the folder that holds dvc.yaml and .dvc.") from None
    except DvcException as error:
        if not _mistakes(error):  # with these, DVC could read all files, and knows more than their form
            check_syntax(root)
        raise ModelyardError(f"DVC: {_messages(error)}{_place(error, root)}.{_advice(error)}") from None
    except NotImplementedError:
        raise ModelyardError(
            f"DVC: a {dvc_lock.LOCK} names a `hash` that DVC does not know. {dvc_lock.RESTORE_LOCK}"
        ) from None
    except UnicodeDecodeError:
        check_syntax(root)
        raise


def check_syntax(root: Path) -> None:
    """Check the form of the files with the pipeline, its parameters and its state, without importing DVC.

    Raises:
        ModelyardError: one is not valid YAML, and on which line, or a dvc.lock is not what DVC writes.
    """
    for name in (PIPELINE, "params.yaml", dvc_lock.LOCK):
        for file in (root / name, *sorted(root.glob(f"*/{name}"))):
            if file.is_file():
                parse = dvc_lock.parse if name == dvc_lock.LOCK else parse_yaml
                parse(read_text(file), file.relative_to(root))


def _messages(error: BaseException) -> str:
    """The messages of an error and of those that led to it, as DVC's own command prints them."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        mistakes = _mistakes(cause)
        parts += [
            SHARED.sub("", str(cause)),
            *(f"{'.'.join(map(str, keys)) or 'the file'}: {reason}" for keys, reason in mistakes),
        ]
        cause = None if mistakes else cause.__cause__
    return ": ".join(dict.fromkeys(parts)).rstrip(".")


def _mistakes(error: BaseException) -> list[tuple[Sequence[Any], str]]:
    """The keys that a file has and should not have, or the other way round, each with the reason."""
    from dvc.utils.strictyaml import YAMLValidationError

    return [(each.path, each.msg) for each in error.exc.errors] if isinstance(error, YAMLValidationError) else []


def _file(error: BaseException) -> str:
    """The file that an error is about, relative to the project."""
    from dvc.utils.strictyaml import YAMLValidationError

    if isinstance(error, YAMLValidationError):
        return Path(error.path).as_posix()
    found = PARSED.search(str(error))
    return found["file"] if found else PIPELINE


def _place(error: BaseException, root: Path) -> str:
    """The line that an error is about, as text; empty where it is about none."""
    mistakes, found = _mistakes(error), PARSED.search(str(error))
    keys = mistakes[0][0] if mistakes else found["keys"].split(".") if found else ()
    file = root / _file(error)
    return f" (line {line_of(keys, read_text(file), file)})" if keys and file.is_file() else ""


def _advice(error: BaseException) -> str:
    """What to do about a file that is wrong; empty for all else, such as a server that does not answer."""
    from dvc.exceptions import OutputDuplicationError, OverlappingOutputPathsError

    batch = BATCH.search(str(error))
    if batch and isinstance(error, OutputDuplicationError | OverlappingOutputPathsError):
        return f" Give batches.{batch[1]} in params.yaml another `output`, such as predictions/{batch[1]}.csv"
    file = _file(error)
    if file.endswith(dvc_lock.LOCK):
        return f" {dvc_lock.RESTORE_LOCK}"
    return f" Correct {file}, or restore it from git: git checkout HEAD -- {file}" if _is_of_a_file(error) else ""


def _is_of_a_file(error: BaseException) -> bool:
    """Whether what the files of the pipeline say is wrong, each by itself or together."""
    from dvc import exceptions
    from dvc.parsing import ResolveError
    from dvc.parsing.context import ContextError
    from dvc.stage import exceptions as of_stages
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLValidationError

    kinds = (
        exceptions.ArgumentDuplicationError,
        exceptions.CircularDependencyError,
        exceptions.CyclicGraphError,
        exceptions.OutputDuplicationError,
        exceptions.OverlappingOutputPathsError,
        exceptions.StagePathAsOutputError,
        of_stages.DuplicateStageName,
        of_stages.InvalidStageName,
        of_stages.StagePathNotDirectoryError,
        of_stages.StagePathNotFoundError,
        of_stages.StagePathOutsideError,
        ContextError,
        ParseError,
        ResolveError,
        YAMLValidationError,
    )
    return isinstance(error, kinds)
