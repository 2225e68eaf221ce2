"""Finds out whether `dvc checkout` has run while a stage's command did.

It deletes or replaces what the command has made so far, and no lock of DVC prevents that but the one that would refuse
`dvc status` too. What it does to DVC's table of links tells.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Seen = tuple[int, list[object]]


class CheckoutGuard:
    """Notices checkouts; DVC's lock must be held by the caller."""

    def __init__(self, repo: Any, marker: Path) -> None:
        """Prepare.

        Args:
            repo: DVC's repository.
            marker: a file to be made, noted as a link that no stage owns any more: a checkout of all stages deletes it.
        """
        self._repo, self._marker = repo, marker
        self._checkouts = 0

    def look(self, outputs: Sequence[str]) -> Seen:
        """Return something that differs after a checkout that touched these paths: of all stages, or of theirs."""
        if not self._marker.exists():
            self._checkouts += 1
            self._marker.parent.mkdir(parents=True, exist_ok=True)
            self._marker.touch()
            self._repo.state.save_link(str(self._marker), self._repo.fs)
        links = self._repo.state.links  # a checkout notes each path that it restores
        return self._checkouts, [links.get(self._repo.fs.relpath(path, self._repo.root_dir)) for path in outputs]

    def end(self) -> None:
        """Remove the file."""
        self._marker.unlink(missing_ok=True)
