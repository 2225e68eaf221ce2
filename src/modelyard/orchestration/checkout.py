"""A checkout of the project on some machine, and in what it differs from another one."""

import os
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from modelyard.core import git, machine
from modelyard.core.environment import AVX2
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.core.processes import this_process
from modelyard.orchestration.run_lock import FOLDER

LOCK_FILE = "requirements.lock"
TOKENS = FOLDER / "coordinators"  # the last processes that handed out tasks from this checkout
MOST_TOKENS = 50
SHOWN = 12  # characters of a hash


@dataclass(frozen=True)
class Checkout:
    """What decides the results that a checkout gives.

    Attributes:
        place: its machine and folder.
        commit: the commit; "" outside git.
        changed: files that differ from the commit, without those that stages write.
        lock: the hash of its lock file.
        files: the hash of the settings, the scripts and the package.
        versions: of Python and of the packages that compute.
        processor: its features, and the variables that restrict them.
        tokens: the coordinators that have written into it; of a coordinator its own.
    """

    place: str
    commit: str
    changed: tuple[str, ...]
    lock: str
    files: str
    versions: Mapping[str, str]
    processor: tuple[str, ...]
    tokens: tuple[str, ...]

    def is_shared_by(self, coordinator: "Checkout") -> bool:
        """Return whether it is the folder of this coordinator."""
        return bool(set(coordinator.tokens) & set(self.tokens))

    def refusal_of(self, other: "Checkout", mixed: bool) -> str:
        """Return why the results of another checkout would not be those of this one, or "".

        Args:
            other: the checkout of a worker.
            mixed: whether the processors may differ.
        """
        if other.commit != self.commit:
            return f"has {_named('commit', other.commit)}, here is {_named('commit', self.commit)}: check it out there"
        if other.lock != self.lock:
            here, there = _named(LOCK_FILE, self.lock), _named(LOCK_FILE, other.lock)
            return f"has {there}, here is {here}: install the same packages there"
        if other.changed:
            return f"has uncommitted changes in {', '.join(other.changed)}: undo or commit them there"
        if other.files != self.files:
            return "has other settings, scripts or another installed package than here, though the commit is the same"
        if versions := other_versions(self.versions, other.versions):
            return f"has other versions than here ({versions}): install {LOCK_FILE} there"
        if other.processor != self.processor and not mixed:
            features = ", ".join(sorted(set(self.processor) ^ set(other.processor)))
            return f"has a processor whose last digits may differ ({features}): choose others, or allow it with --mixed"
        return ""


def describe(root: Path) -> Checkout:
    """Describe the checkout in a folder of this machine.

    Raises:
        ModelyardError: git fails.
    """
    commit = git.head(root)
    own = [name for name in machine.VARIABLES if name not in AVX2]  # tasks bring these from where they are handed out
    variables = (f"{name}={os.environ[name]}" for name in own if os.environ.get(name))
    return Checkout(
        place=f"{socket.gethostname()}:{root}",
        commit=commit,
        changed=tuple(git.changed_files(root, git.SOURCES)) if commit else (),
        lock=_hash([root / LOCK_FILE]),
        files=_hash(_sources(root)),
        versions={name: machine.installed_version(name) for name in machine.PACKAGES}
        | {"python": platform.python_version()},
        processor=(*machine.cpu_features(), *variables),
        tokens=_tokens(root),
    )


def describe_coordinator(root: Path) -> Checkout:
    """Describe the checkout from which tasks are handed out, and mark it, so that its folder is known if it is shared.

    Raises:
        ModelyardError: it has changes that no other checkout has, or git fails.
    """
    token = this_process()
    write_text(root / TOKENS, "\n".join([*_tokens(root)[-MOST_TOKENS:], token]))
    found = replace(describe(root), tokens=(token,))
    if found.changed:
        raise ModelyardError(
            f"uncommitted changes in {', '.join(found.changed)}: the workers have only what is committed. Commit them "
            "and check the commit out on the workers, or run here, without --scheduler."
        )
    return found


def _sources(root: Path) -> Iterator[Path]:
    package = Path(__file__).parents[1]
    yield from sorted(root.glob("*.yaml"))
    yield from sorted((root / "pipeline").glob("*"))
    yield from sorted(package.rglob("*.py"))


def _hash(files: Iterable[Path]) -> str:
    """The hash of files, each with its name; "" if there is none."""
    found = [file for file in files if file.is_file()]
    content = sha256()
    for file in found:
        content.update(f"{file.name} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    return content.hexdigest() if found else ""


def _tokens(root: Path) -> tuple[str, ...]:
    try:
        return tuple((root / TOKENS).read_text(encoding="utf-8").splitlines())
    except OSError:
        return ()


def _named(what: str, value: str) -> str:
    return f"{what} {value[:SHOWN]}" if value else f"no {what}"


def other_versions(here: Mapping[str, str | None], there: Mapping[str, str | None]) -> str:
    """Return what of some versions is another one there, in words; "" if nothing is."""
    return ", ".join(
        f"{name} {there.get(name)} instead of {here[name]}" for name in here if there.get(name) != here[name]
    )
