"""The committed params.yaml, claims.yaml and published.yaml are valid, and every kind of mistake is reported."""

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import PARAMS, ROOT

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.params.checks import NEEDED_BY_DVC, _crossed_mistakes
from modelyard.params.project import Project
from modelyard.params.variants import resolve

XOR_EPOCHS = "seed: 777, epochs: 400"
BOSTON_SPLIT = "split: {test: 0.2, test_seed: 777}"
MLP_TRAINING = "    training: {seed: 777, epochs: 100, batch_size: 32, optimizer: adam, loss: mse}"
HEADING = "params.yaml has a mistake; nothing was run."


@pytest.fixture
def changed(tmp_path: Path):
    """Writes a copy of params.yaml, or of a file beside it, with the first occurrence of a text replaced."""

    def write(old: str, new: str, file: str = "params.yaml") -> Path:
        text = PARAMS.with_name(file).read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}: update this test"
        (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return tmp_path / file

    return write


@pytest.fixture
def message(changed):
    """The error message after such a change of params.yaml."""

    def read(old: str, new: str) -> str:
        with pytest.raises(ModelyardError) as raised:
            params.load(changed(old, new))
        return str(raised.value)

    return read


def test_the_committed_files_are_valid():
    project = params.load(PARAMS)
    assert project.experiments["boston_linear"].training.seed == 777
    params.check_search_spaces(project, project.studies, PARAMS)
    assert params.load_claims(project, PARAMS.with_name("claims.yaml"))["one_neuron"].metric == "accuracy"
    assert params.load_published(project, PARAMS.with_name("published.yaml"))["boston_mlp"].metrics["mae"] == 4.3813


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        pytest.param(
            "    num_words: 1000", "    words: 1000",
            ("datasets.reuters.words (line", "no such key; renamed: write num_words"), id="renamed key",
        ),
        pytest.param(
            "vocabulary_size: 1000", "vocabulary: 1000",
            ("experiments.reuters_rnn.model.vocabulary (line", "renamed: write vocabulary_size"),
            id="renamed key of a family",
        ),
        pytest.param(
            XOR_EPOCHS, "seed: 777, epoch: 400",
            ("experiments.xor_perceptron.training.epoch (line", "did you mean epochs?"), id="misspelt key",
        ),
        pytest.param(
            "\nexperiments:", "\nexperimants:", ("experimants (line", "no such key", "did you mean experiments?"),
            id="misspelt section",
        ),
        pytest.param(
            XOR_EPOCHS, "seed: 777, epochs: -400",
            ("experiments.xor_perceptron.training.epochs", "given -400", "greater than or equal to 1"),
            id="negative epochs",
        ),
        pytest.param(
            XOR_EPOCHS, "epochs: 400", ("experiments.xor_perceptron.training.seed", "this key is missing"), id="no seed"
        ),
        pytest.param(
            "validation: 0.25}", "validation: 1.0}",
            ("inputs.mnist.split.validation", "given 1.0", "less than 1"), id="everything for validation",
        ),
        pytest.param(
            "dataset: diabetes\n", "dataset: diabtes\n",
            ("inputs.diabetes_minmax.dataset", "given 'diabtes'", "no such data set", "did you mean diabetes?"),
            id="unknown data set",
        ),
        pytest.param(
            "input: digits\n", "input: digts\n",
            ("experiments.digits_mlp.input", "given 'digts'", "no such input", "did you mean digits?"),
            id="unknown input",
        ),
        pytest.param(
            "units: # of the target of a regression\n  boston:", "units:\n  bostn:",
            ("units.bostn", "no such data set", "did you mean boston?"), id="unit of nothing",
        ),
        pytest.param(
            "family: mlp", "family: mpl",
            ("experiments.xor_perceptron.model.family", "given 'mpl'", "no such family", "did you mean mlp?"),
            id="unknown family",
        ),
        pytest.param(
            "family: mlp, units: []", "units: []",
            ("experiments.xor_perceptron.model.family", "this key is missing"), id="no family",
        ),
        pytest.param(
            "reader: diabetes", "reader: diabets",
            ("datasets.diabetes.reader", "given 'diabets'", "no such reader", "did you mean diabetes?"),
            id="unknown reader",
        ),
        pytest.param(
            "family: linear}\n    training: {seed: 777}", "family: linear}\n    training: {seed: 777, epochs: 5}",
            ("experiments.boston_linear.training.epochs (line", "allowed: seed"), id="epochs of an estimator",
        ),
        pytest.param(
            "dataset: digits\n", "dataset: digits\n    target_scaling: standard\n",
            ("inputs.digits.target_scaling", "given 'standard': only the targets of a regression are scaled",
             "this data set asks for classification; leave it out"), id="scaled classes",
        ),
        pytest.param(
            "dataset: diabetes\n", "dataset: diabetes\n    target_scaling: logarithm\n",
            ("inputs.diabetes_minmax.target_scaling", "given 'logarithm': allowed: none, standard, log"),
            id="target scaling",
        ),
        pytest.param(
            "optimizer: adam, loss: mse", "optimizer: adam, loss: mse, class_weights: balanced",
            ("experiments.boston_mlp.training.class_weights", "given 'balanced': `class_weights` is for a classif",
             "this is a regression; leave it out"), id="class weights of a regression",
        ),
        pytest.param(
            "{family: linear}\n    training: {seed: 777}",
            "{family: linear}\n    training: {seed: 777, class_weights: balanced}",
            ("experiments.boston_linear.training.class_weights", "this is a regression"),
            id="class weights of an estimator of values",
        ),
        pytest.param(
            "batch_size: 256, optimizer: adam, loss: binary_crossentropy",
            "batch_size: 256, optimizer: adam, loss: binary_crossentropy, class_weights: balanced",
            ("experiments.mnist_autoencoder.training.class_weights", "this is a reconstruction"),
            id="class weights of an autoencoder",
        ),
        pytest.param(
            "loss: mse", "loss: binary_crossentropy",
            ("experiments.boston_mlp.training.loss", "does not fit a regression", "take mse"), id="loss of classes",
        ),
        pytest.param(
            "loss: sparse_categorical_crossentropy", "loss: mse",
            ("experiments.digits_mlp.training.loss", "does not fit a classification", "take binary_cross"),
            id="loss of a regression",
        ),
        pytest.param(
            "loss: sparse_categorical_crossentropy", "loss: binary_crossentropy",
            ("experiments.digits_mlp.training.loss", "for 2 classes, this input has 10"), id="loss of two classes",
        ),
        pytest.param(
            "monitor: val_loss", "monitor: val_mae",
            ("experiments.mnist_cnn.training.early_stopping.monitor", "given 'val_mae': not measured in a classif",
             "allowed: val_loss, val_accuracy"),
            id="stopping on what is not measured",
        ),
        pytest.param(
            "checkpoint: val_loss", "checkpoint: val_mae",
            ("experiments.mnist_cnn.training.checkpoint", "given 'val_mae': not measured", "val_loss, val_accuracy"),
            id="checkpoint",
        ),
        pytest.param(
            "epochs: 10, batch_size: 32, optimizer: adam, loss: detection",
            "epochs: 10, batch_size: 32, optimizer: adam, loss: detection, checkpoint: val_mae",
            ("experiments.mnist_detector.training.checkpoint", "not measured in a detection", "allowed: val_loss"),
            id="a detection has its loss alone",
        ),
        pytest.param(
            "batch_size: 256, optimizer: adam, loss: binary_crossentropy",
            "batch_size: 256, optimizer: adam, loss: binary_crossentropy, checkpoint: val_accuracy",
            ("experiments.mnist_autoencoder.training.checkpoint", "not measured in a reconstruction",
             "allowed: val_loss, val_mae"), id="a reconstruction has no accuracy",
        ),
        pytest.param(
            "batch_size: 256, optimizer: adam, loss: binary_crossentropy",
            "batch_size: 256, optimizer: adam, loss: sparse_categorical_crossentropy",
            ("experiments.mnist_autoencoder.training.loss", "does not fit a reconstruction; take mse or binary_cross"),
            id="loss of classes for an autoencoder",
        ),
        pytest.param(
            "epochs: 10, batch_size: 32, optimizer: adam, loss: detection",
            "epochs: 10, batch_size: 32, optimizer: adam, loss: mse",
            ("experiments.mnist_detector.training.loss", "does not fit a detection; take detection"),
            id="loss of values for a detection",
        ),
        pytest.param(
            "input: mnist_on_canvas\n    model: {family: detector, filters: [16, 32, 64], head_filters: [64, 64]}",
            "input: mnist_on_canvas\n    model: {family: mlp, units: [8]}",
            ("experiments.mnist_detector.model.family", "given 'mlp': mlp is for classification or regression, this "
             "data set asks for detection"), id="a family without boxes",
        ),
        pytest.param(
            "{family: mlp, units: [20, 20], activation: relu}", "{family: detector, filters: [4]}",
            ("experiments.mnist_mlp.model.family", "detector is for detection, this data set asks for classification"),
            id="a detector of classes",
        ),
        pytest.param(
            "input: reuters\n    model: {family: baseline}", "input: mnist_on_canvas\n    model: {family: baseline}",
            ("experiments.reuters_majority.model.family", "baseline is for classification or regression"),
            id="an estimator without boxes",
        ),
        pytest.param(
            "backbone: mnist_autoencoder", "backbone: mnist_autoencodr",
            ("transfers.mnist_codes_classifier.model.backbone", "given 'mnist_autoencodr'",
             "no such experiment with a network", "did you mean mnist_autoencoder?"), id="unknown network",
        ),
        pytest.param(
            "backbone: mnist_autoencoder", "backbone: boston_boosting",
            ("transfers.mnist_codes_classifier.model.backbone", "no such experiment with a network"),
            id="a transfer from an estimator",
        ),
        pytest.param(
            "backbone: fashion_cnn_2", "backbone: mnist_codes_classifier",
            ("transfers.mnist_transfer.model.backbone", "no such experiment with a network"),
            id="a transfer from a transfer",
        ),
        pytest.param(
            "backbone: fashion_cnn_2", "backbone: digits_cnn",
            ("transfers.mnist_transfer.model.backbone", "its network takes samples of shape (8, 8, 1), this input has "
             "(28, 28, 1)"), id="a network of smaller images",
        ),
        pytest.param(
            "{family: decoded, backbone: mnist_autoencoder", "{family: decoded, backbone: mnist_cnn",
            ("transfers.mnist_decoded.model.backbone", "come from an autoencoder, and this is a cnn"),
            id="decoded samples of a classifier",
        ),
        pytest.param(
            "{family: transfer, backbone: vgg16, units: [256], dropout: 0.5",
            "{family: decoded, decoded_samples: 9, backbone: vgg16",
            ("pretrained.cifar10_vgg16.model.family", "have no decoder: put it under `transfers`"),
            id="decoded samples of a pretrained network",
        ),
        pytest.param(
            "backbone: vgg16", "backbone: vgg61",
            ("pretrained.cifar10_vgg16.model.backbone", "given 'vgg61'", "no such backbone", "did you mean vgg16?"),
            id="unknown backbone",
        ),
        pytest.param(
            "codes, units: [64]}\n    training: {", "codes, units: [64]}\n    training: {checkpoint: val_loss, ",
            ("transfers.mnist_codes_classifier.training.checkpoint", "would lack the backbone; leave it out"),
            id="a checkpoint of a transfer",
        ),
        pytest.param(
            "backbone: vgg16", "backbone: mnist_cnn",
            ("pretrained.cifar10_vgg16.model.backbone", "no such backbone"), id="a backbone that is an experiment",
        ),
        pytest.param(
            "{family: transfer, backbone: vgg16", "{family: mlp, backbone: vgg16",
            ("pretrained.cifar10_vgg16.model.family", "given 'mlp'", "transfer"), id="a transfer that is none",
        ),
        pytest.param(
            "test: predefined, first: 1000", "test: predefined, first: 0",
            ("inputs.mnist_1000.split.first", "given 0", "greater than or equal to 1"), id="none of the rows",
        ),
        pytest.param(
            "threads: 4 ", "threads: 0 ", ("runtime.threads", "given 0", "or equal to 1"), id="no thread"
        ),
        pytest.param(
            "sha256: 8594f", "sha256: 8594F",
            ("datasets.boston.files.boston_housing.csv.sha256", "[0-9a-f]{64}"), id="checksum in capitals",
        ),
        pytest.param(
            "    folder: cifar-10\n", "", ("datasets.cifar10", "files with a url need `folder`"), id="no folder"
        ),
        pytest.param(
            BOSTON_SPLIT, "split: {test: 0.2}", ("inputs.boston.split", "test_seed goes with"), id="no test seed"
        ),
        pytest.param(
            f"diabetes\n    {BOSTON_SPLIT}", "diabetes\n    split: {test: predefined, stratify: true}",
            ("inputs.diabetes_minmax.split.stratify", "`stratify` is for classifications"),
            id="stratified regression",
        ),
        pytest.param(
            "validation_samples: shuffled, validation_seed: 777", "validation_seed: 777",
            ("inputs.mnist_shuffled.split", "validation_seed goes with `validation_samples: shuffled`"), id="idle seed",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_key_the_given_value_and_what_is_allowed(
    message, old: str, new: str, parts: tuple[str, ...]
):
    text = message(old, new)
    assert text.startswith(HEADING)
    assert [part for part in parts if part not in text] == [], text


@pytest.mark.parametrize(
    ("old", "new", "section"),
    [
        ("  mnist_transfer: #", "  mnist_cnn: #", "experiments"),
        ("  cifar10_vgg16:", "  mnist_transfer:", "transfers"),
        ("backbones:\n  vgg16:", "backbones:\n  cifar10:", "datasets"),
    ],
)
def test_one_name_in_two_sections_with_a_common_folder_is_refused(message, old: str, new: str, section: str):
    assert f"this name stands in `{section}` as well; give it another" in message(old, new)


def test_mistakes_of_both_experiments_with_one_name_are_reported(message):
    twice = "  mnist_cnn:\n    input: nowhere\n    model: {family: transfer, backbone: fashion_cnn_2}\n"
    trained = "    training: {seed: 7, epochs: 1, loss: sparse_categorical_crossentropy}\n"
    text = message("\ntransfers:\n", f"\ntransfers:\n{twice}{trained}")
    assert text.startswith("params.yaml has 2 mistakes")
    assert "transfers.mnist_cnn.input (line" in text
    assert "transfers.mnist_cnn (line" in text


def test_a_transfer_outside_its_section_is_refused(message):
    text = message("{family: baseline}", "{family: transfer, backbone: mnist_cnn}")
    assert "experiments.reuters_majority.model.family" in text
    assert "given 'transfer'" in text


def test_a_renamed_value_is_reported_with_its_present_name(message):
    text = message("test: predefined, first: 1000", "test: given, first: 1000")
    assert "given 'given': renamed: write predefined" in text


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.2, 1.2])
def test_a_test_fraction_outside_0_to_1_is_refused(message, fraction: float):
    text = message(BOSTON_SPLIT, f"split: {{test: {fraction}, test_seed: 777}}")
    assert f", given {fraction}: " in text
    assert "inputs.boston.split.test (line " in text
    assert "allowed: predefined, training_samples" in text
    assert "than 1" in text or "than 0" in text


@pytest.mark.parametrize("name", ["a b", "x;y", "../up", "Upper", "$(id)", "7up", "-rf", '"tab\\t"'])
@pytest.mark.parametrize(
    ("section", "entry"),
    [("experiments", "  xor_mlp:\n    input"), ("inputs", "  xor:\n    dataset"), ("datasets", "  xor:\n    reader")],
)
def test_a_name_that_is_unsafe_in_a_command_or_a_path_is_refused(message, section: str, entry: str, name: str):
    text = message(entry, entry.replace(entry.split(":")[0].strip(), name, 1))
    assert f"{section}." in text
    assert "^[a-z][a-z0-9_]*$" in text


@pytest.mark.parametrize("name", ["../../xor.csv", "/etc/xor.csv", "a/xor.csv", '".."'])
def test_a_raw_file_with_a_path_for_a_name_is_refused(message, name: str):
    assert "datasets.xor.files" in message("xor.csv:", f"{name}:")


def test_a_mistake_is_reported_with_its_line(changed, message):
    line = changed("epochs: 100", "epochs: 0").read_text().splitlines().index(MLP_TRAINING.replace("100", "0")) + 1
    assert f"experiments.boston_mlp.training.epochs (line {line}), given 0: " in message("epochs: 100", "epochs: 0")


@pytest.mark.parametrize(
    ("right", "misspelt"),
    [("loss: mse", "loss: msee"), ("activation: relu", "activation: relo"), ("scaling: pixels", "scaling: pixls")],
)
def test_a_misspelt_choice_is_reported_with_the_nearest_spelling(message, right: str, misspelt: str):
    assert f"did you mean {right.split()[-1]}?" in message(right, misspelt)


def test_a_seed_that_numpy_cannot_take_is_refused(message):
    assert "inputs.boston.split.test_seed" in message(BOSTON_SPLIT, f"split: {{test: 0.2, test_seed: {2**32}}}")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("xor_perceptron:", "xor_preceptron:", ("xor_preceptron (line 4)", "no such experiment; did you mean xor_per")),
        (
            "metrics: {correlation: 0.94350984}", "metrics: {corelation: 0.94350984}",
            ("boston_mlp_standard.metrics.corelation (line", "no such metric; did you mean correlation?"),
        ),
        (
            "note: 784 pixels encoded as 32 numbers", "metrics: {accuracy: 1.0}",
            ("mnist_autoencoder.metrics.accuracy (line", "no such metric; allowed: r2, mse, mae"),
        ),
        ("note: one neuron", "nota: one neuron", ("xor_perceptron.nota", "no such key; did you mean note?")),
    ],
)  # fmt: skip
def test_a_mistake_in_published_values_is_reported(changed, old: str, new: str, parts: tuple[str, ...]):
    with pytest.raises(ModelyardError) as raised:
        params.load_published(params.load(PARAMS), changed(old, new, "published.yaml"))
    assert str(raised.value).startswith("published.yaml has a mistake; nothing was run.")
    assert [part for part in parts if part not in str(raised.value)] == [], raised.value


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("first: {experiment: xor_mlp}", "first: {experiment: xor_mpl}", "one_neuron (line"),
        ("first: {experiment: xor_mlp}", "first: {experiment: xor_mpl}", "did you mean xor_mlp?"),
        ("metric: gap", "metric: gpa", "dropout.metric (line"),
        ("metric: gap", "metric: gpa", "not measured on both sides; did you mean gap?"),
        (
            "  changes: {split.first: 5000, training.epochs: 20}",
            "  splits: true",
            "not drawn at random (split.test: predefined)",
        ),
        ("changes: {model.dropout: 0.5}", "changes: {model.dropout: 1.5}", "less than 1"),
        ("{experiment: digits_mlp, changes: {scaling: standard}}", "{experiment: digits_mlp}", "are the same"),
        ("changes: {scaling: standard}}", "changes: {training.seed: 777}}", "have equal settings"),
        ("direction: equal", "direction: equl", "did you mean equal?"),
        ("seeds: 12\none_neuron", "seeds: 4\none_neuron", "label_encoding.seeds (line"),
        ("seeds: 12\none_neuron", "seeds: 12\n  second_look: 12\none_neuron", "give more than the 12 of `seeds`"),
        ("seeds: 12\none_neuron", "seeds: 12\n  second_look: many\none_neuron", "label_encoding.second_look (line"),
        ("metric: gap", "metric: gap\n  crossed: true", "leave out `crossed`, or `splits`"),
        ("metric: val_accuracy", "metric: val_accuracy\n  crossed: true", "val_accuracy is measured on others"),
        ("crossed: true", "crossed: true\n  second_look: 20", "exclude each other: plan `seeds` large enough"),
        (
            "first: {experiment: or_perceptron}",
            "first: {experiment: or_perceptron, changes: {training.seed: 5}}",
            "training.seed 5 and 777: runs are paired by their seed",
        ),
        (
            "first: {experiment: or_perceptron}",
            "crossed: true\n  first: {experiment: or_perceptron}",
            "the same data set",
        ),
        (
            "{experiment: digits_mlp, changes: {scaling: standard}}",
            "{experiment: digits_mlp, changes: {scaling: standard, split.test_seed: 5}}",
            "the sides have other test samples of the same data set",
        ),
        ("dataset.truncating: pre", "dataset.truncate: pre", "did you mean truncating?"),
        ("dataset.truncating: pre", "dataset.files: {}", "the raw files stay those of the data set"),
    ],
)
def test_a_mistake_in_a_claim_is_reported(changed, old: str, new: str, part: str):
    with pytest.raises(ModelyardError) as raised:
        params.load_claims(params.load(PARAMS), changed(old, new, "claims.yaml"))
    assert str(raised.value).startswith("claims.yaml has a mistake; nothing was run.")
    assert part in str(raised.value)


def test_test_samples_of_groups_are_not_resampled_one_by_one():
    side = resolve(params.load(PARAMS), "boston_linear", {"split.group": "CHAS"})
    (mistake,) = _crossed_mistakes("one", side, side)
    assert mistake.reason.startswith("it resamples single test samples, and the input splits by CHAS")


def test_a_project_without_claims_and_published_values_has_none(tmp_path: Path):
    project = params.load(PARAMS)
    assert params.load_claims(project, tmp_path / "claims.yaml") == {}
    assert params.load_published(project, tmp_path / "published.yaml") == {}


def test_a_section_that_dvc_needs_must_be_written_and_the_others_need_not(tmp_path: Path):
    given = YAML(typ="safe").load(PARAMS)
    for section in ("transfers", "backbones", "pretrained", "runtime", "studies", "batches", "units", "fetch"):
        del given[section]
    YAML().dump(given, tmp_path / "params.yaml")
    with pytest.raises(ModelyardError) as raised:
        params.load(tmp_path / "params.yaml")
    lines = str(raised.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "runtime",
        "transfers",
        "backbones",
        "pretrained",
        "studies",
        "batches",
    ]
    assert "this section is missing, and dvc.yaml needs it; for the defaults, write `runtime: {}`" in lines[0]
    YAML().dump(given | {line.split()[0]: {} for line in lines}, tmp_path / "params.yaml")
    assert params.load(tmp_path / "params.yaml").all_experiments


def test_the_sections_that_dvc_needs_are_those_that_the_pipelines_name():
    named: set[str] = set()
    for file in (ROOT / "dvc.yaml", *ROOT.glob("*/dvc.yaml")):
        for stage in YAML(typ="safe").load(file)["stages"].values():
            named |= {re.sub(r"\W", "", stage.get("foreach", ""))}
            named |= {entry.partition(".")[0] for entry in stage.get("do", stage).get("params", ())}
    optional = {name for name, field in Project.model_fields.items() if not field.is_required()}
    assert set(NEEDED_BY_DVC) == named & optional


@pytest.mark.parametrize(
    ("evaluate", "split", "refusal"),
    [
        ("{folds: 5, repeats: 2}", "{test: 0.2, time: day}", "each repeat would have the same folds: leave it out"),
        ("{folds: 1}", "{test: predefined}", "greater than or equal to 2"),
        ("{repeats: 2}", "{test: predefined}", "this key is missing"),
    ],
)
def test_an_evaluation_by_folds_that_makes_no_sense_is_refused(tmp_path: Path, evaluate: str, split: str, refusal: str):
    path = tmp_path / "params.yaml"
    text = PARAMS.read_text(encoding="utf-8")
    diabetes = f"dataset: diabetes\n    {BOSTON_SPLIT}"
    experiment = "  diabetes_mlp_minmax:\n"
    assert text.count(experiment) == 1
    assert diabetes in text
    text = text.replace(diabetes, f"dataset: diabetes\n    split: {split}")
    path.write_text(text.replace(experiment, f"{experiment}    evaluate: {evaluate}\n"), encoding="utf-8")
    with pytest.raises(ModelyardError) as raised:
        params.load(path)
    assert "experiments.diabetes_mlp_minmax.evaluate" in str(raised.value)
    assert refusal in str(raised.value)


@pytest.mark.parametrize(
    ("old", "added", "parts"),
    [
        (
            MLP_TRAINING, "early_stopping: {patience: 5, restore_best: true}, ",
            ("experiments.boston_mlp.training.early_stopping (line", "needs validation samples: give input boston a"),
        ),
        (
            MLP_TRAINING, "schedule: {kind: reduce_on_plateau}, ",
            ("experiments.boston_mlp.training.schedule (line", "it needs validation samples"),
        ),
        (MLP_TRAINING, "checkpoint: val_loss, ", ("boston_mlp.training.checkpoint (line", "it needs validation")),
        (
            MLP_TRAINING, "schedule: {kind: cosine, epochs: 101}, ",
            ("experiments.boston_mlp.training (line", "schedule has 101 epochs, the training has 100"),
        ),
        (
            MLP_TRAINING, "schedule: {kind: cosin}, ",
            ("experiments.boston_mlp.training.schedule", "cosine"),
        ),
        (
            MLP_TRAINING, "augmentation: {flip: horizontal}, ",
            ("experiments.boston_mlp.training.augmentation (line", "this data set has samples of shape (13,)"),
        ),
        (
            "    training: {seed: 777, epochs: 20, batch_size: 256,", "augmentation: {shift: 0.1}, ",
            ("experiments.mnist_autoencoder.training.augmentation", "not the targets of a reconstruction"),
        ),
        (
            "    training: {seed: 777, epochs: 10, batch_size: 32, optimizer: adam, loss: detection}",
            "augmentation: {shift: 0.1}, ", ("not the targets of a detection",),
        ),
        (
            "layer: codes, units: [64]}\n    training: {seed: 777, epochs: 10,", "augmentation: {shift: 0.1}, ",
            ("transfers.mnist_codes_classifier.training.augmentation", "what its backbone makes of each image once"),
        ),
    ],
)  # fmt: skip
def test_training_options_that_do_not_fit_the_experiment_are_refused(message, old: str, added: str, parts: tuple):
    text = message(old, old.replace("{seed: 777, ", f"{{{added}seed: 777, "))
    assert text.startswith(HEADING)
    for part in parts:
        assert part in text


def test_the_best_epoch_of_a_training_in_two_phases_is_refused(message):
    old = "layer: codes, units: [64]}\n    training: {seed: 777, epochs: 10,"
    new = (
        "layer: codes, units: [64], fine_tuning: {epochs: 2, learning_rate: 0.001}}\n"
        "    training: {seed: 777, epochs: 10, early_stopping: {patience: 2, restore_best: true},"
    )
    assert "early_stopping.restore_best (line" in message(old, new)


def test_a_study_may_vary_the_new_options(changed):
    space = """
      model.batch_normalisation: {choices: [false, true]}
      model.stride: {choices: [1, 2]}
      model.pooling_kind: {choices: [max, average]}
      training.optimizer: {choices: [adam, adamw]}
      training.schedule: {choices: [null, {kind: cosine}, {kind: cosine, warmup_epochs: 2}]}
      training.augmentation: {choices: [null, {shift: 0.1}]}
"""
    old = "      model.kernel_size: {choices: [2, 3, 5]}\n"
    project = params.load(changed(old, old + space.lstrip("\n")))
    assert "training.schedule" in project.studies["digits_cnn"].search_space
    wrong = changed(old, old + space.lstrip("\n").replace("warmup_epochs: 2", "warmup_epochs: 40"))
    with pytest.raises(ModelyardError, match="warmup_epochs is 40, and the schedule has 40 epochs"):
        params.load(wrong)


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"experiment": "boston_linaer"}, ("batches.new.experiment", "did you mean boston_linear?")),
        ({"data": "../houses.csv"}, ("batches.new.data", "is not in the project")),
        ({"data": "/houses.csv"}, ("batches.new.data", "is not in the project")),
        ({"data": "a$(b).csv"}, ("batches.new.data", "has '$', which a command line would misread")),
        ({"output": "-o.csv"}, ("batches.new.output", "begins with -, which a command line would misread")),
        ({"output": "out.xlsx"}, ("batches.new.output", "given 'out.xlsx'", "a name that ends in .csv or .parquet")),
        ({"output": "../new.csv"}, ("batches.new.output", "give a path below the folder of params.yaml")),
        ({"output": "/new.csv"}, ("batches.new.output", "give a path below the folder of params.yaml")),
        ({"output": "houses.csv"}, ("batches.new.output", "it lies in `data`, houses.csv", "a file outside of it")),
        ({"data": "in", "output": "in/new.csv"}, ("batches.new.output", "it lies in `data`, in", "outside of it")),
        ({"broken": "ignore"}, ("batches.new.broken", "given 'ignore'")),
        ({"output": "old.csv"}, ("batches.old.output", "new writes it too")),
    ],
)
def test_a_wrong_batch_is_named_with_its_key(entry: dict, words: tuple[str, ...], tmp_path: Path):
    given = YAML(typ="safe").load(PARAMS)
    new = {"experiment": "boston_linear", "data": "houses.csv", "output": "new.csv"}
    given["batches"] = {"new": new | entry, "old": new | {"output": "old.csv"}}
    YAML().dump(given, tmp_path / "params.yaml")
    with pytest.raises(ModelyardError) as raised:
        params.load(tmp_path / "params.yaml")
    assert all(word in str(raised.value) for word in words)


def test_a_backbone_that_was_trained_on_test_samples_of_the_transfer_is_refused(tmp_path: Path):
    text = PARAMS.read_text(encoding="utf-8")
    split = "  mnist: # notebook 003: validation_split 0.25\n    dataset: mnist\n    split: {test: predefined"
    assert text.count(split) == 1
    other = split.replace("  mnist: # notebook 003", "  other: # notebook 003").replace(
        "predefined", "0.1, test_seed: 1"
    )
    text = text.replace(split, f"{other}, validation: 0.1}}\n    scaling: pixels\n{split}")
    transfer = "  mnist_codes_classifier: # a classifier on the 32 codes of the autoencoder\n    input: "
    assert text.count(transfer) == 1
    (tmp_path / "params.yaml").write_text(text.replace(f"{transfer}mnist\n", f"{transfer}other\n"), encoding="utf-8")
    with pytest.raises(ModelyardError, match="it was trained on samples that are test samples here"):
        params.load(tmp_path / "params.yaml")


DRAWN = "split.test: 0.2, split.test_seed: 5"


@pytest.mark.parametrize(
    ("first", "mistake"),
    [
        (f"mnist_5k_codes_classifier, changes: {{{DRAWN}}}", "the backbone is trained on test samples of the transfer"),
        (
            f"mnist_5k_codes_classifier, changes: {{{DRAWN}, backbone.split.test: 0.2, backbone.split.test_seed: 5}}",
            None,
        ),
        (
            f"mnist_5k_codes_classifier, changes: {{{DRAWN}, model.backbone: boston_linear}}",
            "model.backbone: no experiment with a network",
        ),
        ("mnist_5k_mlp", "the sides have other test samples of the same data set"),
        ("boston_mlp", "first is a regression, second a classification: their metrics cannot be compared"),
    ],
)
def test_a_claim_compares_sides_with_equal_test_samples_that_no_training_has(first: str, mistake: str | None, tmp_path):
    claim = (
        f"codes:\n  says: codes help\n  first: {{experiment: {first}}}\n"
        f"  second: {{experiment: mnist_5k_pixels_classifier, changes: {{{DRAWN}}}}}\n"
        "  metric: loss\n  direction: higher\n  smallest: 0.01\n  seeds: 5\n"
    )
    (tmp_path / "claims.yaml").write_text(claim)
    with pytest.raises(ModelyardError, match=mistake) if mistake else nullcontext():
        params.load_claims(params.load(PARAMS), tmp_path / "claims.yaml")
