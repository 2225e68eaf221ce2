"""`modelyard export`: a model for other programs, with a README and an example."""

from pathlib import Path

from modelyard.serving import engines
from modelyard.serving.export import Format, export_model


def export(name: str, form: Format, folder: Path) -> None:
    """Write the model of an experiment into a new folder, and print what is there.

    Raises:
        ModelyardError: there is no such model, it cannot be converted, or the folder is there.
    """
    written = export_model(engines.find(name, Path.cwd()), form, folder)
    print(f"{folder}: {', '.join(written)}. README.md says how to use it.")  # noqa: T201
