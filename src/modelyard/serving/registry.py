"""The registry: versions of the models of each data set in MLflow, which of them is in use, and why.

A version holds two things: the model as MLflow serves it, and beside it our own folder, as `models.load` takes it.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard import tracking
from modelyard.core.config import nearest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256, whole_folder
from modelyard.models import Model
from modelyard.orchestration import dvc_lock

CHAMPION, CHALLENGER = "champion", "challenger"
FOLDER = "model_folder"  # beside the model as MLflow keeps it


@dataclass(frozen=True)
class Version:
    """One version of a registered model; its tags say which files it was made of, and why it stands where it stands."""

    name: str
    number: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        return f"version {self.number} ({self.tags.get('experiment', 'registered by other means')})"


def aliased(name: str, alias: str) -> Version | None:
    """The version of a model that an alias points to, if there is one."""
    with _registry() as client:
        number = _aliases(client).get(name, {}).get(alias)
        return _version(client, name, number) if number else None


def register(name: str, experiment: str, model: Model, folder: Path, tags: Mapping[str, str]) -> Version:
    """Make a version of an experiment's model, which lies in `folder`; it gets no alias.

    The model is the one that its training logged. Where the store has none of these very files, as after a checkout
    from DVC's cache, it is logged now.
    """
    with _registry() as client:
        run = _run_of(client, experiment, folder) or _log(client, experiment, model, folder)
        uri = run.data.tags["model_uri"]
        model_id = uri.rpartition("/")[2]
        client.log_model_artifacts(model_id, str(folder), FOLDER)
        if name not in _aliases(client):
            client.create_registered_model(name)
        tags = {"experiment": experiment, "model_md5": dvc_lock.md5(folder), **tags}
        made = client.create_model_version(name, uri, run.info.run_id, tags, model_id=model_id)  # else a server refuses
        return Version(name, str(made.version), tags)


def crown(version: Version, instead_of: Version | None) -> None:
    """Make a version the champion, and note in it which one it replaces.

    Raises:
        ModelyardError: another one than `instead_of` has become champion meanwhile.
    """
    with _registry() as client:
        aliases = _aliases(client)[version.name]
        if aliases.get(CHAMPION) != (instead_of.number if instead_of else None):
            raise ModelyardError(f"{version.name} was given another champion meanwhile. Run the command again.")
        if instead_of:
            client.set_model_version_tag(version.name, version.number, "replaced", instead_of.number)
        client.set_registered_model_alias(version.name, CHAMPION, version.number)


def challenge(version: Version) -> None:
    """Make a version the challenger."""
    with _registry() as client:
        client.set_registered_model_alias(version.name, CHALLENGER, version.number)


def roll_back(name: str) -> tuple[Version, Version]:
    """Make the champion's predecessor champion again; returns it and the one that stood down.

    Raises:
        ModelyardError: there is no champion, it replaced none, or the files of its predecessor are gone.
    """
    present = resolve(f"{name}@{CHAMPION}")
    before = present.tags.get("replaced")
    if before is None:
        raise ModelyardError(f"{name}@{CHAMPION} is {present}, which replaced none: there is nothing to go back to.")
    with _registry() as client:
        former = _version(client, name, before)
        folder_of(former)
        client.set_registered_model_alias(name, CHAMPION, former.number)
        client.delete_model_version_tag(name, present.number, "replaced")
    return former, present


def model_folder(name_at_alias: str) -> Path:
    """The folder, as `models.load` takes it, of a registered model such as `mnist@champion`.

    Raises:
        ModelyardError: there is no such model or alias, its files are gone, or they are not what was registered.
    """
    return folder_of(resolve(name_at_alias))


def resolve(name_at_alias: str) -> Version:
    """The version that a name such as `mnist@champion` means.

    Raises:
        ModelyardError: there is no such model, or it has no such alias.
    """
    name, _, alias = name_at_alias.partition("@")
    with _registry() as client:
        known = _aliases(client)
        if name not in known:
            raise ModelyardError(f"no registered model {name!r}; {nearest(name, known)}. {_HOW}")
        if alias not in known[name]:
            raise ModelyardError(f"{name} has no alias {alias!r}; {nearest(alias, known[name])}. {_HOW}")
        return _version(client, name, known[name][alias])


def folder_of(version: Version) -> Path:
    """The folder of a version, as `models.load` takes it, fetched once and kept in `.modelyard/`.

    Raises:
        ModelyardError: its files are gone, or they are not what was registered.
    """
    expected = version.tags.get("model_md5")
    if expected is None:
        raise ModelyardError(f"{version.name}: {version} was not made by `modelyard promote`: its files are unknown.")
    kept = tracking.project_root() / ".modelyard" / "models" / expected
    if not kept.exists() or dvc_lock.md5(kept / FOLDER) != expected:
        with whole_folder(kept) as temporary:
            _fetch(version, temporary)
            _refuse_other_than(expected, version, temporary / FOLDER)
    return kept / FOLDER


@contextmanager
def _registry() -> Iterator[Any]:
    """MLflow's client; whatever it raises is told in one line."""
    if not tracking.is_enabled():
        raise ModelyardError("models are registered where runs are tracked, and MODELYARD_TRACKING is off: unset it.")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        tracking.connect()
    except Exception as error:  # whatever MLflow, its database or its server may raise
        raise _told(error, "cannot be reached") from None
    try:
        yield mlflow.MlflowClient()
    except mlflow.MlflowException as error:
        raise _told(error, "refused") from None


def _told(error: Exception, what: str) -> ModelyardError:
    reason = tracking.mask_password(str(error))
    return ModelyardError(f"the tracking store {tracking.masked_tracking_uri()} {what}: {reason}")


def _aliases(client: Any) -> dict[str, dict[str, str]]:
    """Of every registered model by name: the version's number by alias."""
    found = client.search_registered_models()
    return {each.name: {alias: str(number) for alias, number in each.aliases.items()} for each in found}


def _version(client: Any, name: str, number: str) -> Version:
    return Version(name, number, client.get_model_version(name, number).tags)


def _run_of(client: Any, experiment: str, folder: Path) -> Any | None:
    """The latest run of an experiment that logged the very model in a folder."""
    runs = client.search_runs(
        [client.get_experiment_by_name(tracking.MLFLOW_EXPERIMENT).experiment_id],
        f"attributes.run_name = '{experiment}' and tags.model_sha256 = '{_archive(folder)}'",
        max_results=1,
    )
    return runs[0] if runs else None


def _log(client: Any, experiment: str, model: Model, folder: Path) -> Any:
    """A new run that holds the model in a folder; it was not trained there, and says so."""
    import mlflow

    run = tracking.MlflowRun(experiment)
    run.start()
    run_id = mlflow.active_run().info.run_id
    try:
        run.log_model(model)
        mlflow.set_tags({"logged_from": "files", "model_sha256": _archive(folder)})
    except BaseException as error:
        run.fail(error)
        raise
    run.finish()
    return client.get_run(run_id)


def _archive(folder: Path) -> str:
    """The SHA-256 of the archive in a model's folder."""
    return sha256(next(folder.glob("model.*")))


def _fetch(version: Version, target: Path) -> None:
    with _registry():
        from mlflow import MlflowException
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{version.name}/{version.number}/{FOLDER}"
        try:
            download_artifacts(artifact_uri=uri, dst_path=str(target))
        except (OSError, MlflowException) as error:
            raise ModelyardError(f"{version.name}: the files of {version} cannot be had. {error}") from None


def _refuse_other_than(expected: str, version: Version, folder: Path) -> None:
    found = dvc_lock.md5(folder)
    if found != expected:
        raise ModelyardError(
            f"{version.name}: {version} was refused: its files in the store are not what was registered. "
            f"Their MD5 is {found}, its tag model_md5 says {expected}."
        )


_HOW = "Promote an experiment: modelyard promote EXPERIMENT"
