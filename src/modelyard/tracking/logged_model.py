"""Models as MLflow logs and serves them: those of tables take named columns, all others the tensors of the library."""

import warnings
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.core.files import write_zip
from modelyard.orchestration.patching import patched
from modelyard.tracking.mlflow_schema import table_signature, tensor_schema

PACKAGE = Path(__file__).parents[1]
# What the package's own code needs, as it converts the columns of a table; the library of the model comes on top.
PACKAGES_OF_TABLES = ("numpy", "pandas", "pyarrow", "psutil", "pydantic", "ruamel.yaml")


def log(model: Any, folder: Path, name: str) -> str:
    """Log a model, which is saved in a folder, in the active run; returns its URI."""
    import mlflow.utils.environment

    # Without requirements MLflow starts another interpreter to guess them; with them it would read the metadata of all
    # packages, to warn of versions that are not installed.
    without_warnings = (mlflow.utils.environment, "warn_dependency_requirement_mismatches", lambda _: None)
    with patched(without_warnings):
        logged = _log_table(model, folder, name) if model.description.features else _log_native(model, name)
    return str(logged.model_uri)


def _log_table(model: Any, folder: Path, name: str) -> Any:
    """Log our own folder and code, so that a server needs no more than the packages of the requirements."""
    import mlflow

    with TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*input example")  # MLflow wants one, beside the signature
        return mlflow.pyfunc.log_model(
            name=name,
            python_model=str(PACKAGE / "serving" / "table_model.py"),
            artifacts={"model": str(folder.resolve()), "code": str(_archive_code(Path(temporary)))},
            signature=table_signature(model.description),
            pip_requirements=_installed((*PACKAGES_OF_TABLES, *model.pip_packages)),
        )


def _archive_code(folder: Path) -> Path:
    """Write the package as one file from which Python imports: MLflow's `code_paths` are sent file by file."""
    archive = folder / "modelyard.zip"
    write_zip(archive, {str(path.relative_to(PACKAGE.parent)): path.read_bytes() for path in PACKAGE.rglob("*.py")})
    return archive


def _log_native(model: Any, name: str) -> Any:
    """Log the library's own object with the signature of its raw input."""
    import mlflow
    from mlflow.models import ModelSignature

    native = model.native
    if hasattr(native, "optimizer"):  # of our own class, which a server lacks: log the network uncompiled
        native = type(native)(native.inputs, native.outputs, name=native.name)
    return getattr(mlflow, model.mlflow_flavor).log_model(
        native,
        name=name,
        signature=ModelSignature(tensor_schema(*model.input_spec), tensor_schema(*model.output_spec)),
        pip_requirements=_installed(model.pip_packages),
        **model.mlflow_options,
    )


def _installed(packages: Iterable[str]) -> list[str]:
    return [f"{package}=={version(package)}" for package in packages]
