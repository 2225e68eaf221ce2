"""The registry, in real MLflow stores: versions, aliases, files, and the way back."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import mlflow
import numpy as np
import pytest
from support.built_experiments import fit_model, line_samples, save_model

from modelyard import models, tracking
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.experiments import train
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.families import boosting, mlp
from modelyard.params.project import EstimatorExperiment, NetworkExperiment
from modelyard.serving import registry
from modelyard.serving.registry import CHALLENGER, CHAMPION, Version

DATA = line_samples(40)


def version_of(experiment: str, folder: Path, seed: int = 0) -> Version:
    """Register a model that was fitted to rows of its own."""
    model = fit_model("linear", line_samples(40, seed))
    return registry.register("line", experiment, model, save_model(model, folder / experiment), {})


def champions(*experiments: str, folder: Path) -> list[Version]:
    """Register models, and make each champion after the other."""
    made, before = [], None
    for seed, experiment in enumerate(experiments):
        made.append(version_of(experiment, folder, seed))
        registry.set_champion(made[-1], replacing=before)
        before = made[-1]
    return made


def champion() -> str:
    return registry.aliased("line", CHAMPION).number


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(search_all_experiments=True, output_format="list")


def stored(number: str) -> Path:
    """The folder of a version's files in the store."""
    return Path(mlflow.artifacts.download_artifacts(f"models:/line/{number}/{registry.FOLDER}"))


def test_the_champions_folder_holds_the_model_that_was_registered(tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    model = models.load(registry.folder_of(registry.resolve("line@champion")))
    np.testing.assert_array_equal(model.predict(DATA.x), fit_model("linear", DATA).predict(DATA.x))
    assert model.description == fit_model("linear", DATA).description


def test_a_model_is_read_from_a_folder_without_a_project_that_leaves_the_store_as_it_is(
    tracked_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champions("first", folder=tracked_project)
    before = [each.name for each in mlflow.search_experiments()]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked_project / 'mlflow.db'}")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(tracking.store, "mlflow_experiment", lambda: "of another project")
    assert registry.folder_of(registry.resolve("line@champion")).is_relative_to(tmp_path)
    assert [each.name for each in mlflow.search_experiments()] == before


def test_a_model_is_found_among_more_than_a_page(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    champions("first", folder=tracked_project)
    for name in ("a", "b", "m", "z"):
        mlflow.MlflowClient().create_registered_model(name)
    monkeypatch.setattr(registry, "MODELS_PER_PAGE", 2)
    assert champion() == "1"
    with pytest.raises(ModelyardError, match="allowed: a, b, line, m, z"):
        registry.resolve("q@champion")


def test_a_version_takes_the_model_that_its_training_logged(tracked_project: Path) -> None:
    model = fit_model("linear", DATA)
    folder = save_model(model, tracked_project / "model")
    with tracking.training_run("first") as run:
        run.log_model(model, folder)
    (logged,) = runs()
    registry.register("line", "first", model, folder, {})
    assert [run.info.run_id for run in runs()] == [logged.info.run_id]
    made = mlflow.MlflowClient().get_model_version("line", "1")
    assert (made.run_id, made.source) == (logged.info.run_id, logged.data.tags["model_uri"])


@pytest.mark.parametrize("family", ["mlp", "boosting"])
def test_the_model_of_a_run_is_identified_by_the_bytes_of_its_files(
    family: str, image_input: TrainingInput, tracked_project: Path
) -> None:
    """A checkpoint that is kept beside the model is no part of it."""
    settings = {
        "mlp": NetworkExperiment(
            input="made_up",
            model=mlp.Settings(family="mlp", units=(4,)),
            training=NetworkTraining(seed=7, epochs=2, loss="sparse_categorical_crossentropy", checkpoint="val_loss"),
        ),
        "boosting": EstimatorExperiment(
            input="made_up", model=boosting.Settings(family="boosting"), training=EstimatorTraining(seed=7)
        ),
    }
    save_training(image_input, tracked_project / "rows")
    folder = tracked_project / "model"
    with tracking.training_run("first") as run:
        train.train(settings[family], Runtime(), tracked_project / "rows", folder, tracked_project / "history.csv", run)
    registry.register("made_up", "first", models.load(folder), folder, {})
    assert len(runs()) == 1


@pytest.mark.parametrize("trained", ["nothing", "another model", "another experiment"])
def test_a_model_without_a_run_is_logged_from_its_files(trained: str, tracked_project: Path) -> None:
    model = fit_model("linear", DATA)
    if trained != "nothing":
        name, logged = ("first", fit_model("baseline", DATA)) if trained == "another model" else ("second", model)
        with tracking.training_run(name) as run:
            run.log_model(logged, save_model(logged, tracked_project / "logged"))
    folder = save_model(model, tracked_project / "model")
    for _ in range(2):
        registry.register("line", "first", model, folder, {})
    assert len(runs()) == (1 if trained == "nothing" else 2)
    latest = runs()[0]
    assert latest.info.run_name == "first"
    assert latest.data.tags["logged_from"] == "files"
    assert latest.info.status == "FINISHED"


def test_the_model_that_mlflow_serves_predicts_like_the_files(tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    served = mlflow.pyfunc.load_model("models:/line@champion")
    np.testing.assert_allclose(served.predict(DATA.x), fit_model("linear", DATA).predict(DATA.x), atol=1e-5)


def test_a_rollback_restores_each_earlier_champion_until_the_first(tracked_project: Path) -> None:
    champions("first", "second", "third", folder=tracked_project)
    for expected in ("2", "1"):
        former, left = registry.roll_back("line")
        assert former.number == champion() == expected
        assert "replaced" not in mlflow.MlflowClient().get_model_version("line", left.number).tags
    with pytest.raises(ModelyardError, match=r"line@champion is version 1 \(first\), which replaced none"):
        registry.roll_back("line")
    assert champion() == "1"


def test_a_model_is_described_by_its_champion_and_a_version_by_its_card(tracked_project: Path) -> None:
    model = fit_model("linear", DATA)
    card = "A line.\n\n" + "\n\n".join(["A long card."] * 1000)
    tags = {"reason": "It is better."}
    version = registry.register("line", "first", model, save_model(model, tracked_project / "first"), tags, card)
    registry.set_champion(version, replacing=None)
    client = mlflow.MlflowClient()
    assert client.get_model_version("line", "1").description.startswith("A line.\n\nA long card.")
    described = client.get_registered_model("line").description
    assert described.startswith("The champion is version 1 (first). It is better.\n\n`modelyard predict line@champion")
    assert "A line." in described
    assert len(described) <= 5000
    registry.set_champion(version_of("second", tracked_project, seed=1), replacing=version)
    assert client.get_registered_model("line").description.startswith("The champion is version 2 (second).")
    registry.roll_back("line")
    assert client.get_registered_model("line").description.startswith("The champion is version 1 (first).")


def test_a_rollback_skips_challengers(tracked_project: Path) -> None:
    first = champions("first", folder=tracked_project)[0]
    registry.set_challenger(version_of("second", tracked_project, seed=1))
    registry.set_champion(version_of("third", tracked_project, seed=2), replacing=first)
    assert registry.resolve(f"line@{CHALLENGER}").tags["experiment"] == "second"
    registry.roll_back("line")
    assert champion() == "1"


def test_a_rollback_to_missing_files_is_refused(tracked_project: Path) -> None:
    champions("first", "second", folder=tracked_project)
    shutil.rmtree(stored("1"))
    with pytest.raises(ModelyardError, match=r"version 1 \(first\)"):
        registry.roll_back("line")
    assert champion() == "2"


def test_a_file_changed_in_the_store_is_refused(tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    file = stored("1") / "input.json"
    file.write_text(file.read_text().replace("made_up", "made up"))
    with pytest.raises(ModelyardError, match="was refused: its files in the store differ from what was registered"):
        registry.folder_of(registry.resolve("line@champion"))
    copies = (tracked_project / ".modelyard" / "models").rglob("*")
    assert not [path for path in copies if path.is_file() and path.suffix != ".lock"]


def test_a_changed_local_copy_is_downloaded_again(tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    archive = next(registry.folder_of(registry.resolve("line@champion")).glob("model.*"))
    content = archive.read_bytes()
    archive.write_bytes(b"something else")
    assert registry.folder_of(registry.resolve("line@champion")) / archive.name == archive
    assert archive.read_bytes() == content


def test_files_are_downloaded_once(tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    folder = registry.folder_of(registry.resolve("line@champion"))
    shutil.rmtree(stored("1"))
    assert registry.folder_of(registry.resolve("line@champion")) == folder


def test_of_several_that_ask_for_the_same_files_at_once_one_downloads_them(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = champions("first", folder=tracked_project)
    files, together, downloads = stored("1"), threading.Barrier(2), []

    def download(_: Version, artifact: str, target: Path) -> None:
        downloads.append(target)
        with suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        shutil.copytree(files, target / artifact)

    monkeypatch.setattr(registry, "_download", download)
    with ThreadPoolExecutor() as pool:
        folders = set(pool.map(registry.folder_of, [first] * 2))
    assert len(folders) == len(downloads) == 1


def test_the_second_of_two_simultaneous_promotions_fails(tracked_project: Path) -> None:
    first = champions("first", folder=tracked_project)[0]
    one, other = (version_of(name, tracked_project, seed) for seed, name in enumerate(("one", "other"), start=1))
    registry.set_champion(one, replacing=first)
    with pytest.raises(ModelyardError, match="another champion in the meantime"):
        registry.set_champion(other, replacing=first)
    assert champion() == one.number


@pytest.mark.parametrize(
    "name, message",
    [
        ("lime@champion", "no registered model 'lime'; did you mean line?"),
        ("line@champoin", "line has no alias 'champoin'; did you mean champion?"),
        ("line@challenger", "line has no alias 'challenger'; allowed: champion"),
        ("line", "line has no alias ''; allowed: champion"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str, message: str, tracked_project: Path) -> None:
    champions("first", folder=tracked_project)
    with pytest.raises(ModelyardError, match="Promote an experiment: modelyard promote EXPERIMENT") as refused:
        registry.resolve(name)
    assert message in str(refused.value)


def test_a_version_not_made_by_promote_is_refused(tracked_project: Path) -> None:
    first = champions("first", folder=tracked_project)[0]
    client = mlflow.MlflowClient()
    client.create_model_version("line", client.get_model_version("line", first.number).source)
    client.set_registered_model_alias("line", CHAMPION, "2")
    with pytest.raises(ModelyardError, match="has no tag model_md5"):
        registry.folder_of(registry.resolve("line@champion"))


def test_without_tracking_no_model_is_registered(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TRACKING", "off")
    with pytest.raises(ModelyardError, match="MODELYARD_TRACKING is off: unset it"):
        registry.folder_of(registry.resolve("line@champion"))


@pytest.mark.parametrize("address", ["http://ann:hush@127.0.0.1:9", "sqlite:///a_file/mlflow.db"])
def test_an_unreachable_store_is_an_error_without_the_password(
    address: str, tracked_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tracked_project / "a_file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ModelyardError, match=r"the tracking store .* failed|nothing answers at") as refused:
        registry.folder_of(registry.resolve("line@champion"))
    assert "hush" not in str(refused.value)
