"""The MLflow model registry: the versions of each data set's models, and which of them is champion or challenger.

A version holds the model as MLflow serves it, and beside it our own folder, which `models.load` reads.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelyard import tracking
from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder
from modelyard.core.report_text import shortened
from modelyard.models import Model
from modelyard.orchestration import dvc_lock
from modelyard.tracking.descriptions import NOTE
from modelyard.tracking.mlflow_schema import model_digest

CHAMPION, CHALLENGER = "champion", "challenger"
ROLLED_BACK = "rolled_back"  # tag: to which version
COMPARISON, AGAINST = "comparison", "against"  # tags: its number on the same test samples, and the champion's version
FOLDER = "model_folder"  # of a version: our own format, beside MLflow's
REFERENCE, REFERENCE_MD5 = "reference", "reference_md5"  # of a version: a folder with folders by MD5, and the tag
ONNX, ONNX_MD5 = "onnx", "onnx_md5"  # the same for the converted model
LONGEST_DESCRIPTION = 5000  # characters, of MLflow's tables
MAX_VERSIONS = 10_000
MODELS_PER_PAGE = 1000  # the most that MLflow allows
ADVICE = "Promote an experiment: modelyard promote EXPERIMENT"


@dataclass(frozen=True)
class Version:
    """One version of a registered model; its tags record its files and the reason for its alias."""

    name: str
    number: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        return f"version {self.number} ({self.tags.get('experiment', 'not registered by `modelyard promote`')})"


def aliased(name: str, alias: str) -> Version | None:
    """The version of a model that an alias points to; None if there is none."""
    with _registry() as client:
        number = _aliases(client).get(name, {}).get(alias)
        return _version(client, name, number) if number else None


def comparison_number(test_md5: str, model_md5: str, champion: Version, recorded: int = 0) -> int:
    """The number of a comparison with the champion on the test samples with this MD5: repeated, it keeps its number.

    `recorded`: how many comparisons they have decided elsewhere: the store can be another one than that of these.
    """
    same, versions = {"test_md5": test_md5, "model_md5": model_md5, AGAINST: champion.number}, history()
    known = [each for each in versions if each.name == champion.name and same.items() <= each.tags.items()]
    return int(known[0].tags[COMPARISON]) if known else max(recorded, comparisons_on(test_md5, versions)) + 1


def comparisons_on(test_md5: str, versions: Iterable[Version]) -> int:
    """How many comparisons of these versions the test samples with this MD5 have decided.

    Of versions from before they were numbered, those with a gain count. A version that was deleted counts as long as a
    later one is there.
    """
    compared = [version.tags for version in versions if version.tags.get("test_md5") == test_md5]
    numbers = [int(tags[COMPARISON]) for tags in compared if COMPARISON in tags]
    return max([sum("gain" in tags and COMPARISON not in tags for tags in compared), *numbers])


def history() -> list[Version]:
    """Every version of every registered model, the oldest of each first."""
    with _registry() as client:
        found = client.search_model_versions(max_results=MAX_VERSIONS)
        return sorted(
            (Version(each.name, str(each.version), each.tags) for each in found),
            key=lambda version: (version.name, int(version.number)),
        )


def register(
    name: str, experiment: str, model: Model, folder: Path, tags: Mapping[str, str], card: str = ""
) -> Version:
    """Create a version of an experiment's model, without an alias.

    The version points to the model that its training logged. If the store has no model with these files, for example
    after a checkout from DVC's cache, the model is logged now.

    Args:
        name: the registered model.
        experiment: the experiment that built the model.
        model: the model.
        folder: its folder.
        tags: further tags of the version.
        card: the model's card in Markdown, which follows the description of its run.
    """
    with _registry(tracking.connect) as client:
        run = _run_of(client, experiment, folder) or _log_model(client, experiment, model, folder)
        uri = run.data.tags["model_uri"]
        model_id = uri.rpartition("/")[2]
        client.log_model_artifacts(model_id, str(folder), FOLDER)
        if name not in _aliases(client):
            client.create_registered_model(name)
        tags = {"experiment": experiment, "model_md5": dvc_lock.md5(folder), **tags}
        # A server requires the model_id.
        described = shortened(f"{run.data.tags.get(NOTE, '')}\n\n{card}".strip(), LONGEST_DESCRIPTION)
        version = client.create_model_version(
            name, uri, run.info.run_id, tags, description=described, model_id=model_id
        )
        return Version(name, str(version.version), tags)


def add_reference(version: Version, folder: Path) -> Version:
    """Log the folder of what new samples of a version are compared with; returns the version with the tag of it."""
    return _add_folder(version, folder, REFERENCE, REFERENCE_MD5)


def add_onnx(version: Version, folder: Path) -> Version:
    """Log the folder of the converted model of a version; returns the version with the tag of it."""
    return _add_folder(version, folder, ONNX, ONNX_MD5)


def set_champion(version: Version, replacing: Version | None) -> None:
    """Make a version the champion, and record in its tags which one it replaces.

    Raises:
        ModelyardError: the champion is no longer `replacing`.
    """
    with _registry() as client:
        aliases = _aliases(client)[version.name]
        if aliases.get(CHAMPION) != (replacing.number if replacing else None):
            raise ModelyardError(f"{version.name} got another champion in the meantime. Run the command again.")
        if replacing:
            client.set_model_version_tag(version.name, version.number, "replaced", replacing.number)
        client.set_registered_model_alias(version.name, CHAMPION, version.number)
        _describe(client, version)


def set_challenger(version: Version) -> None:
    """Make a version the challenger."""
    with _registry() as client:
        client.set_registered_model_alias(version.name, CHALLENGER, version.number)


def roll_back(name: str) -> tuple[Version, Version]:
    """Make the champion's predecessor champion again.

    Returns:
        The new champion and the one that it replaces.

    Raises:
        ModelyardError: there is no champion, it replaced none, or the files of its predecessor are gone.
    """
    present = resolve(f"{name}@{CHAMPION}")
    before = present.tags.get("replaced")
    if before is None:
        raise ModelyardError(
            f"{name}@{CHAMPION} is {present}, which replaced none: there is no earlier champion to roll back to."
        )
    with _registry() as client:
        former = _version(client, name, before)
        folder_of(former)
        client.set_registered_model_alias(name, CHAMPION, former.number)
        _describe(client, former)
        client.set_model_version_tag(name, present.number, ROLLED_BACK, f"to version {former.number}")
        client.delete_model_version_tag(name, present.number, "replaced")
    return former, present


def resolve(name_at_alias: str) -> Version:
    """The version that a name such as `mnist@champion` refers to.

    Raises:
        ModelyardError: there is no such model, or it has no such alias.
    """
    name, _, alias = name_at_alias.partition("@")
    with _registry() as client:
        known = _aliases(client)
        if name not in known:
            raise ModelyardError(f"no registered model {name!r}; {suggest(name, known)}. {ADVICE}")
        if alias not in known[name]:
            raise ModelyardError(f"{name} has no alias {alias!r}; {suggest(alias, known[name])}. {ADVICE}")
        return _version(client, name, known[name][alias])


def folder_of(version: Version) -> Path:
    """The folder of a version, for `models.load`; downloaded once and kept in `.modelyard/`.

    Raises:
        ModelyardError: its files are gone, or differ from what was registered.
    """
    expected = version.tags.get("model_md5")
    if expected is None:
        raise ModelyardError(
            f"{version.name}: {version} has no tag model_md5, so its files cannot be verified. "
            "Register the model again: modelyard promote EXPERIMENT"
        )
    return _downloaded(version, FOLDER, expected)


def reference_of(version: Version) -> Path | None:
    """The folder of what new samples of a version are compared with; None if it was registered without.

    Raises:
        ModelyardError: its files are gone, or differ from what was registered.
    """
    expected = version.tags.get(REFERENCE_MD5)
    return _downloaded(version, f"{REFERENCE}/{expected}", expected) if expected else None


def onnx_of(version: Version) -> Path | None:
    """The folder of the converted model of a version; None if it was registered without.

    Raises:
        ModelyardError: its files are gone, or differ from what was registered.
    """
    expected = version.tags.get(ONNX_MD5)
    return _downloaded(version, f"{ONNX}/{expected}", expected) if expected else None


def _add_folder(version: Version, folder: Path, artifact: str, tag: str) -> Version:
    """Log a folder of a version below the name of an artifact; returns the version with the tag of its MD5."""
    md5 = dvc_lock.md5(folder)
    with _registry() as client:
        model_id = client.get_model_version(version.name, version.number).source.rpartition("/")[2]
        client.log_model_artifacts(model_id, str(folder), f"{artifact}/{md5}")
        client.set_model_version_tag(version.name, version.number, tag, md5)
    return replace(version, tags={**version.tags, tag: md5})


def _downloaded(version: Version, artifact: str, expected: str) -> Path:
    """A folder of a version with this MD5; of several processes that ask for it at once, one downloads it."""
    kept = tracking.project_root() / ".modelyard" / "models" / expected
    if not _is_whole(kept / artifact, expected):
        from filelock import FileLock

        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_name(f".{expected}.lock")):
            if not _is_whole(kept / artifact, expected):
                with atomic_folder(kept) as temporary:
                    _download(version, artifact, temporary)
                    _check_md5(expected, version, temporary / artifact)
    return kept / artifact


def _is_whole(folder: Path, expected: str) -> bool:
    try:
        return dvc_lock.md5(folder) == expected
    except FileNotFoundError:  # also where another process replaces it just now
        return False


@contextmanager
def _registry(open_store: Callable[[], None] = tracking.open_store) -> Iterator[Any]:
    """MLflow's client; its errors are raised as one line.

    Args:
        open_store: what opens the store; only runs need the project's experiment, which a server may not create.

    Raises:
        ModelyardError: tracking is off, or the store cannot be reached or returns an error.
    """
    if not tracking.is_enabled():
        raise ModelyardError("models are registered in the tracking store, and MODELYARD_TRACKING is off: unset it.")
    with tracking.explain_errors():
        open_store()
        import mlflow

        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)  # whether it answers
    try:
        yield client
    except mlflow.MlflowException as error:
        raise ModelyardError(
            f"the tracking store {tracking.masked_tracking_uri()} refused: {tracking.mask_password(str(error))}"
        ) from None


def _aliases(client: Any) -> dict[str, dict[str, str]]:
    """Version numbers by alias, for each registered model."""
    found: list[Any] = []
    token: str | None = None
    while token != "":  # MLflow returns pages
        page = client.search_registered_models(max_results=MODELS_PER_PAGE, page_token=token)
        found, token = [*found, *page], page.token or ""
    return {each.name: {alias: str(number) for alias, number in each.aliases.items()} for each in found}


def _version(client: Any, name: str, number: str) -> Version:
    return Version(name, number, client.get_model_version(name, number).tags)


def _describe(client: Any, champion: Version) -> None:
    """Describe a registered model by its champion: what it is, why it is champion, and how to use it."""
    name, tags = champion.name, champion.tags
    described = client.get_model_version(name, champion.number).description or ""
    reason = " ".join(filter(None, (tags.get("reason"), tags.get("forced") and f"Forced: {tags['forced']}.")))
    use = f"`modelyard predict {name}@{CHAMPION} FILE` uses it; `modelyard rollback {name}` restores the one before it."
    text = f"The champion is {champion}. {reason}\n\n{use}\n\n{described}"
    client.update_registered_model(name, shortened(text.strip(), LONGEST_DESCRIPTION))


def _run_of(client: Any, experiment: str, folder: Path) -> Any | None:
    """The latest run of an experiment that logged exactly the model in a folder."""
    runs = client.search_runs(
        [client.get_experiment_by_name(tracking.mlflow_experiment()).experiment_id],
        f"attributes.run_name = '{experiment}' and tags.model_sha256 = '{model_digest(folder)}'",
        max_results=1,
    )
    return runs[0] if runs else None


def _log_model(client: Any, experiment: str, model: Model, folder: Path) -> Any:
    """Log the model in a folder as a new run, tagged as logged from files."""
    import mlflow

    run = tracking.MlflowRun(experiment)
    run.start()
    run_id = mlflow.active_run().info.run_id
    try:
        run.log_model(model, folder)
        mlflow.set_tag("logged_from", "files")
    except BaseException as error:
        run.fail(error)
        raise
    run.finish()
    return client.get_run(run_id)


def _download(version: Version, artifact: str, target: Path) -> None:
    with _registry():
        from mlflow import MlflowException
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{version.name}/{version.number}/{artifact}"
        try:
            download_artifacts(artifact_uri=uri, dst_path=str(target))
        except (OSError, MlflowException) as error:
            raise ModelyardError(f"{version.name}: the files of {version} cannot be downloaded. {error}") from None


def _check_md5(expected: str, version: Version, folder: Path) -> None:
    found = dvc_lock.md5(folder)
    if found != expected:
        raise ModelyardError(
            f"{version.name}: {version} was refused: its files in the store differ from what was registered. "
            f"Their MD5 is {found}, that of its tag is {expected}."
        )
