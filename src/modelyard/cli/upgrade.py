"""`modelyard upgrade`: the pipeline's files of the installed version, in place of those of an earlier one."""

from pathlib import Path

from rich.console import Console

from modelyard.cli import package_code
from modelyard.core.errors import ModelyardError


def upgrade() -> None:
    """Take over new and missing files, and print which were written and which kept because they were edited.

    Raises:
        ModelyardError: the project was not created by `modelyard new`.
    """
    console, root = Console(), Path.cwd()
    if not (package_code.uses_lock(root) or (root / package_code.LOCK).exists()):  # its dvc.yaml may be missing
        raise ModelyardError(
            f"the stages of this project do not depend on {package_code.LOCK}, as in a project of `modelyard new`: "
            "there is nothing to take over."
        )
    done = package_code.take_over(root)
    lines = [f"{path}: written" for path in done.written]
    lines += [f"{path}: edited here and kept; the new one is {path}.new" for path in done.conflicting]
    lines += [f"{path}: edited here and kept; the installed version has no newer one" for path in done.edited]
    lines = lines or ["The files of the pipeline are those of the installed version."]
    for line in filter(None, [package_code.find_other_version(root), *lines]):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
