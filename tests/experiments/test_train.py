"""Training one experiment: what is printed, logged and saved."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import TrainingInput, save_training
from modelyard.data.samples import Samples
from modelyard.experiments import train
from modelyard.models import EstimatorTraining, NetworkTraining, Runtime
from modelyard.models.engine import callbacks
from modelyard.models.families import boosting, linear, mlp, transfer
from modelyard.params.fold_evaluation import FoldEvaluation
from modelyard.params.project import EstimatorExperiment, NetworkExperiment, TransferExperiment
from modelyard.tracking import NullRun

LINEAR = EstimatorExperiment(input="line", model=linear.Settings(family="linear"), training=EstimatorTraining(seed=7))
BOOSTING = EstimatorExperiment(
    input="line", model=boosting.Settings(family="boosting", n_estimators=6), training=EstimatorTraining(seed=7)
)
NETWORK = NetworkExperiment(
    input="line", model=mlp.Settings(family="mlp", units=()), training=NetworkTraining(seed=7, epochs=3, loss="mse")
)


def run_training(
    experiment: train.AnyExperiment, data: TrainingInput, folder: Path, backbone: Path | None = None
) -> None:
    save_training(data, folder / "rows")
    train.train(experiment, Runtime(), folder / "rows", folder / "model", folder / "history.csv", NullRun(), backbone)


def files_under(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_and_the_last_epoch_of_a_fast_training_are_printed(capsys: pytest.CaptureFixture) -> None:
    printer = train.EpochPrinter(300, NullRun())
    for epoch in range(1, 301):
        printer({"epoch": epoch, "loss": 1 / epoch, "val_loss": 2.0})
    printer.finish()
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/300  loss 1  val_loss 2",
        "epoch 300/300  loss 0.003333  val_loss 2",
    ]


def test_every_epoch_of_a_slow_training_is_printed(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "SECONDS_BETWEEN_LINES", 0.0)
    printer = train.EpochPrinter(3, NullRun())
    for epoch in (1, 2, 3):
        printer({"epoch": epoch, "loss": 0.5})
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["1/3", "2/3", "3/3"]


def test_every_epoch_is_logged_whether_printed_or_not() -> None:
    class LoggingRun(NullRun):
        def __init__(self) -> None:
            self.logged: list[int] = []

        def log_epoch(self, epoch: dict) -> None:
            self.logged.append(epoch["epoch"])

    run = LoggingRun()
    printer = train.EpochPrinter(9, run)
    for epoch in range(1, 10):
        printer({"epoch": epoch, "loss": 0.5})
    assert run.logged == list(range(1, 10))


@pytest.mark.parametrize(
    "experiment, last_line, rows", [(LINEAR, "epoch 1 ", 1), (BOOSTING, "epoch 6 ", 6), (NETWORK, "epoch 3/3 ", 3)]
)
def test_training_writes_a_model_and_its_history(
    experiment: EstimatorExperiment | NetworkExperiment,
    last_line: str,
    rows: int,
    regression_input: TrainingInput,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    run_training(experiment, regression_input, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert list(history.epoch) == list(range(1, rows + 1))
    validation = regression_input.validation
    error = np.abs(models.load(tmp_path / "model").predict(validation.x) - validation.y).mean()
    assert history.val_mae.iloc[-1] == pytest.approx(error, rel=1e-5)
    assert capsys.readouterr().out.splitlines()[-1].startswith(last_line)


def test_the_epochs_of_fine_tuning_are_included_in_the_total(
    image_input: TrainingInput, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    trained = NetworkTraining(seed=7, epochs=2, loss="sparse_categorical_crossentropy")
    first = NetworkExperiment(input="images", model=mlp.Settings(family="mlp", units=(4,)), training=trained)
    run_training(first, image_input, tmp_path / "first")
    settings = transfer.Settings(
        family="transfer", backbone="first", layer="dense", fine_tuning={"epochs": 3, "learning_rate": 0.001}
    )
    second = TransferExperiment(input="images", model=settings, training=trained)
    run_training(second, image_input, tmp_path / "second", tmp_path / "first" / "model")
    assert capsys.readouterr().out.splitlines()[-1].startswith("epoch 5/5 ")
    assert list(pd.read_csv(tmp_path / "second" / "history.csv").epoch) == [1, 2, 3, 4, 5]


def test_a_failing_training_leaves_the_earlier_model_and_history_as_they_were(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    run_training(LINEAR, regression_input, tmp_path)
    before = files_under(tmp_path)
    spoilt = Samples(np.full_like(regression_input.samples.x, np.nan), regression_input.samples.y)
    with pytest.raises(ValueError, match="NaN"):
        run_training(LINEAR, TrainingInput(regression_input.description, spoilt), tmp_path)
    after = files_under(tmp_path)
    assert after.pop("rows/x.npy") != before.pop("rows/x.npy")
    assert after == before


def test_folds_for_which_the_samples_do_not_suffice_are_refused_before_the_training(regression_input, tmp_path) -> None:
    experiment = LINEAR.model_copy(update={"evaluate": FoldEvaluation(folds=61)})
    with pytest.raises(ModelyardError, match="61 folds of 60 samples: set `folds` to 60 at most"):
        run_training(experiment, regression_input, tmp_path)
    assert not (tmp_path / "model").exists()


class InterruptedRun(NullRun):
    """Is interrupted at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def log_epoch(self, epoch: dict) -> None:
        if epoch["epoch"] == self._epoch:
            raise KeyboardInterrupt


def start(experiment: train.AnyExperiment, folder: Path, run: NullRun | None = None, name: str = "killed") -> None:
    out, state = folder / name, folder / "states" / f"{name}.npz"
    train.train(
        experiment, Runtime(), folder / "rows", out / "model", out / "history.csv", run or NullRun(), None, state
    )


def test_a_training_that_was_stopped_goes_on_and_one_with_other_settings_starts_again(
    regression_input: TrainingInput, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_STATES", 0.0)
    save_training(regression_input, tmp_path / "rows")
    for name, changed in (
        ("same", NETWORK),
        ("other", NETWORK.model_copy(update={"model": mlp.Settings(family="mlp", units=(2,))})),
    ):
        with pytest.raises(KeyboardInterrupt):
            start(NETWORK, tmp_path, InterruptedRun(3), name)
        assert list((tmp_path / "states").iterdir()) == [tmp_path / "states" / f"{name}.npz"]
        capsys.readouterr()
        start(changed, tmp_path, name=name)
        first_line = capsys.readouterr().out.splitlines()[0]
        expected = {
            "same": "goes on after 2 epochs",
            "other": "a training with other settings, data, code or versions: not",
        }
        assert expected[name] in first_line
        assert list((tmp_path / "states").iterdir()) == []
    start(NETWORK, tmp_path, name="unbroken")
    assert files_under(tmp_path / "same") == files_under(tmp_path / "unbroken") != files_under(tmp_path / "other")


def test_the_state_belongs_to_the_settings_the_data_and_the_runtime(
    regression_input: TrainingInput, tmp_path: Path
) -> None:
    save_training(regression_input, tmp_path / "rows")
    other = NETWORK.model_copy(update={"training": NetworkTraining(seed=8, epochs=3, loss="mse")})
    folded = NETWORK.model_copy(update={"evaluate": FoldEvaluation(folds=3)})

    def key(experiment: NetworkExperiment = NETWORK, threads: int = 4) -> str:
        return train._kept_state(tmp_path / "state.npz", experiment, Runtime(threads=threads), [tmp_path / "rows"]).key

    first = key()
    assert first == key() == key(folded)
    assert len({first, key(other), key(threads=1)}) == 3
    np.save(tmp_path / "rows" / "y.npy", regression_input.samples.y + 1)
    assert key() != first
