"""The winner in params.yaml and published.yaml: the added lines, no other change, and what is refused."""

import difflib
import re
import shutil
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from support.studies import (
    ALL,
    BASELINE,
    BEATEN,
    BEST,
    COMPACT,
    LARGE,
    PARAMS,
    PRUNED,
    SPOILT,
    VARY,
    WORSE,
    confirmed,
    study,
    trial,
    with_tuned,
)

from modelyard import params
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.tuning.apply import apply, find_winner
from modelyard.tuning.plan import make_plan

SMALL = """\
runtime: {}
transfers: {}
backbones: {}
pretrained: {}
studies: {}
batches: {}
datasets: # where they come from
  digits:
    reader: flattened_images
    image_shape: [8, 8]
    task: classification
    description: Handwritten.
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    files:
      digits.csv.gz: {package: sklearn/datasets/data/digits.csv.gz, sha256: "%s"}
inputs:
  digits: {dataset: digits, split: {test: 0.2, test_seed: 1, validation: 0.2}, scaling: minmax}
experiments:
    digits_cnn: # the first
        input: digits
        model:
            family: cnn
            filters:
            - 32 # as in the notebook
            - 64
        training: &training {seed: 7, epochs: 4, loss: sparse_categorical_crossentropy}

    # another remark
    digits_other:
        input: digits
        model: {family: cnn, filters: [4]}
        training: *training""" % ("0" * 64)


STUDY = """studies:
  digits_cnn:
    experiment: digits_cnn
    search_space:
      model.filters: {choices: [[16, 32], [32, 64]]}
      training.epochs: {low: 2, high: 6}
      training.learning_rate: {low: 0.0001, high: 0.1, log: true}
    n_trials: 6
    seed: 7"""

PUBLISHED, CLAIMS = (PARAMS.with_name(f"{name}.yaml") for name in ("published", "claims"))


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    """A copy of this project's params.yaml, with its published.yaml beside it."""
    shutil.copy(PUBLISHED, tmp_path)
    return Path(shutil.copy(PARAMS, tmp_path))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A params.yaml with rare features: other indents, an anchor, no newline at its end."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def trial_without_filters() -> FrozenTrial:
    """The best trial, with a value that no network can have."""
    choices = {"model.filters": CategoricalDistribution(("[]", "[16]"))}
    return create_trial(value=1.0, params={"model.filters": "[]"}, distributions=choices)


def changes(before: str, after: str) -> tuple[str, str]:
    """The removed lines and the added ones."""
    compared = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return tuple("\n".join(line[2:] for line in compared if line.startswith(sign)) for sign in "-+")


def test_the_winner_is_written_beneath_its_experiment_and_no_other_line_changes(params_file: Path) -> None:
    assert apply(study(*ALL), params_file).name == "digits_cnn_tuned"
    text = params_file.read_text()
    removed, added = changes(PARAMS.read_text(), text)
    assert removed == ""
    assert added == (
        "  digits_cnn_tuned:\n"
        "    input: digits\n"
        "    model: {family: cnn, filters: [16, 32], padding: same, pooling: last, convolution_dropout: 0.25, "
        "units: [128]}\n"
        "    training:\n"
        "      seed: 777\n"
        "      epochs: 5\n"
        "      batch_size: 32\n"
        "      optimizer: adam\n"
        "      loss: sparse_categorical_crossentropy\n"
        "      learning_rate: 0.01"
    )
    names = list(read_yaml(params_file)["experiments"])
    assert names.index("digits_cnn_tuned") == names.index("digits_cnn") + 1


def test_the_tuned_experiment_has_the_values_of_the_best_trial(params_file: Path) -> None:
    apply(study(*ALL), params_file)
    project = params.load(params_file)
    tuned, present = project.all_experiments["digits_cnn_tuned"], project.all_experiments["digits_cnn"]
    assert (tuned.model.filters, tuned.training.epochs, tuned.training.learning_rate) == ((16, 32), 5, 0.01)
    assert tuned.model == present.model.model_copy(update={"filters": (16, 32)})
    assert tuned.training == present.training.model_copy(update={"epochs": 5, "learning_rate": 0.01})


def test_comments_after_the_last_experiment_of_a_section_stay_there(params_file: Path) -> None:
    text = params_file.read_text()
    last = text.index("  mnist_detector:\n    input")
    first, end = text.index("  digits_cnn:\n"), text.index("  mnist_mlp:\n    input")
    moved = text[:first] + text[end:last] + text[first:end].rstrip("\n") + "\n" + text[last:]
    params_file.write_text(moved)
    apply(study(*ALL), params_file)
    removed, added = changes(moved, params_file.read_text())
    assert (removed, added.splitlines()[0]) == ("", "  digits_cnn_tuned:")
    params.load(params_file)


def test_other_indents_anchors_and_comments_are_kept(small: Path) -> None:
    apply(study(BASELINE, BEST, file=small), small)
    removed, added = changes(SMALL, small.read_text())
    assert removed == ""
    assert added.splitlines()[:2] == ["    digits_cnn_tuned:", "      input: digits"]
    assert read_yaml(small)["experiments"]["digits_cnn_tuned"]["training"]["learning_rate"] == 0.01
    assert list(read_yaml(small)["experiments"]) == ["digits_cnn", "digits_cnn_tuned", "digits_other"]


def test_an_experiment_that_ends_with_an_alias_ends_where_the_alias_stands(small: Path) -> None:
    text = SMALL.replace("digits_other", "first").replace("digits_cnn", "digits_other").replace("first", "digits_cnn")
    small.write_text(text)
    apply(study(BASELINE, BEST, file=small), small)
    assert changes(text, small.read_text())[0] == ""
    assert list(read_yaml(small)["experiments"]) == ["digits_other", "digits_cnn", "digits_cnn_tuned"]


def test_applying_twice_changes_nothing_more(params_file: Path) -> None:
    apply(study(*ALL), params_file)
    once = params_file.read_bytes()
    apply(study(*ALL), params_file)
    assert params_file.read_bytes() == once


def test_an_entry_with_other_values_is_replaced_only_on_request(params_file: Path) -> None:
    apply(study(*ALL), params_file)
    before = params_file.read_bytes()
    better = study(*ALL, trial([0.99], rate=0.02))
    with pytest.raises(ModelyardError, match=r"an experiment digits_cnn_tuned with other values.*--replace"):
        apply(better, params_file)
    assert params_file.read_bytes() == before
    apply(better, params_file, replace=True)
    removed, _ = changes(PARAMS.read_text(), params_file.read_text())
    assert removed == ""
    assert params.load(params_file).all_experiments["digits_cnn_tuned"].training.learning_rate == 0.02
    published = params_file.with_name("published.yaml")
    removed, _ = changes(PUBLISHED.read_text(), published.read_text())
    assert removed == ""
    assert read_yaml(published)["digits_cnn_tuned"]["note"] == "best of 7 trials of study digits_cnn"


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ((), "has no finished trial yet"),
        ((PRUNED,), "has no finished trial yet.*modelyard tune digits_cnn"),
        ((BASELINE, WORSE), "no trial is better than the baseline, experiment digits_cnn unchanged .val_accuracy 0.9"),
    ],
)
def test_without_a_better_trial_nothing_is_written(trials: tuple, message: str, params_file: Path) -> None:
    with pytest.raises(ModelyardError, match=message):
        apply(study(*trials), params_file)
    assert params_file.read_bytes() == PARAMS.read_bytes()


@pytest.mark.parametrize(
    "before, after, change",
    [
        (
            "filters: [32, 64], padding: same",
            "filters: [32, 64], padding: valid",
            'experiment.model.padding: "same" -> "valid"',
        ),
        (
            "validation: 0.2}\n    scaling: minmax",
            "validation: 0.2}\n    scaling: standard",
            'inputs.digits.scaling: "minmax" -> "standard"',
        ),
        ("image_shape: [8, 8]", "image_shape: [4, 16]", "datasets.digits.image_shape: [8, 8] -> [4, 16]"),
    ],
)
def test_a_changed_experiment_input_or_data_set_is_refused_with_the_change(
    before: str, after: str, change: str, params_file: Path, tmp_path: Path
) -> None:
    searched = study(*ALL)
    searched.set_user_attr("space", make_plan(params.load(params_file), "digits_cnn", tmp_path).space)
    text = params_file.read_text()
    assert before in text
    params_file.write_text(text.replace(before, after))
    with pytest.raises(ModelyardError) as refusal:
        apply(searched, params_file)
    assert "params.yaml has changed since study digits_cnn was created" in str(refusal.value)
    assert f"\n  {change}\n" in str(refusal.value)
    assert "modelyard tune digits_cnn --new" in str(refusal.value)


@pytest.mark.parametrize(
    "replaced",
    [
        {"inputs:\n  digits: {dataset: digits,": "inputs:\n  digits: {dataset: digits, slices: [kind],"},
        {"inputs:\n  digits:": "inputs:\n  digits_cnn:", "input: digits": "input: digits_cnn"},
    ],
    ids=["slices", "an input named like its experiment"],
)
def test_an_unchanged_experiment_is_applied(replaced: dict[str, str], small: Path, tmp_path: Path) -> None:
    text = SMALL.replace("studies: {}", STUDY)
    for before, after in replaced.items():
        assert before in text
        text = text.replace(before, after)
    small.write_text(text)
    searched = study(BASELINE, BEST, file=small)
    searched.set_user_attr("space", make_plan(params.load(small), "digits_cnn", tmp_path).space)
    assert apply(searched, small).name == "digits_cnn_tuned"


def test_a_winner_that_the_settings_refuse_changes_no_file(params_file: Path) -> None:
    searched = study(*ALL)
    searched.set_user_attr(
        "space", searched.user_attrs["space"] | {"search_space": VARY | {"model.filters": {"choices": [[], [16]]}}}
    )
    searched.add_trial(trial_without_filters())
    with pytest.raises(ModelyardError) as refusal:
        apply(searched, params_file)
    assert params_file.read_bytes() == PARAMS.read_bytes()
    for text in (
        "params.yaml and published.yaml unchanged",
        "experiments.digits_cnn_tuned.model.filters (line",
        "filters: []",
    ):
        assert text in str(refusal.value)
    assert params_file.with_name("published.yaml").read_bytes() == PUBLISHED.read_bytes()
    assert {path.name for path in params_file.parent.iterdir()} == {"params.yaml", "published.yaml"}


def test_published_yaml_gets_the_notebook_of_the_experiment_and_a_note(params_file: Path) -> None:
    apply(study(*ALL), params_file)
    removed, added = changes(PUBLISHED.read_text(), params_file.with_name("published.yaml").read_text())
    assert removed == ""
    assert added == 'digits_cnn_tuned: {notebook: "001", note: best of 6 trials of study digits_cnn}'
    published = params.load_published(params.load(params_file), params_file.with_name("published.yaml"))
    names = list(published)
    assert names.index("digits_cnn_tuned") == names.index("digits_cnn") + 1


@pytest.mark.parametrize("text", [None, "{}\n", "# nothing yet\n", 'xor_mlp: {notebook: "001"} # the only one\n'])
def test_without_an_entry_of_the_experiment_published_yaml_is_not_written(params_file: Path, text: str | None) -> None:
    published = params_file.with_name("published.yaml")
    published.unlink()
    if text is not None:
        published.write_text(text)
    assert apply(study(*ALL), params_file).name == "digits_cnn_tuned"
    assert (published.read_text() if published.exists() else None) == text
    assert "digits_cnn_tuned" in params.load(params_file).experiments


def test_a_mistake_in_published_yaml_is_reported_before_anything_is_written(params_file: Path) -> None:
    params_file.with_name("published.yaml").write_text("digits_cnn: {note: without its notebook}\n")
    with pytest.raises(ModelyardError, match=r"published\.yaml has a mistake.*\n.*digits_cnn\.notebook .* is missing"):
        apply(study(*ALL), params_file)
    assert params_file.read_bytes() == PARAMS.read_bytes()


def test_comments_and_metrics_in_published_yaml_are_kept(params_file: Path) -> None:
    published = params_file.with_name("published.yaml")
    text = (
        "# What was printed\ndigits_cnn:\n  notebook: '001' # quoted otherwise\n"
        "  metrics: {accuracy: 0.9870}\n\n# the last remark\n"
    )
    published.write_text(text)
    apply(study(*ALL), params_file)
    removed, added = changes(text, published.read_text())
    assert (removed, added) == (
        "", 'digits_cnn_tuned: {notebook: "001", note: best of 6 trials of study digits_cnn}'
    )  # fmt: skip


def test_a_published_yaml_with_a_mistake_is_refused_and_nothing_is_written(params_file: Path) -> None:
    published = params_file.with_name("published.yaml")
    published.write_text(PUBLISHED.read_text().replace("digits_mlp:", "digits_mpl:"))
    before = published.read_bytes()
    with pytest.raises(ModelyardError, match=r"published.yaml has a mistake"):
        apply(study(*ALL), params_file)
    assert published.read_bytes() == before
    assert params_file.read_bytes() == PARAMS.read_bytes()


def test_file_modes_are_kept(params_file: Path) -> None:
    params_file.chmod(0o640)
    apply(study(*ALL), params_file)
    assert params_file.stat().st_mode & 0o777 == 0o640


def test_the_winner_of_a_second_study_is_named_after_its_experiment() -> None:
    won = find_winner(study(*ALL, name="digits_cnn-2"), PARAMS)
    assert (won.name, won.study, won.note) == (
        "digits_cnn_tuned",
        "digits_cnn",
        "best of 6 trials of study digits_cnn-2",
    )


def test_a_confirmed_winner_is_the_best_over_seeds_and_gets_a_claim_on_test_samples(params_file: Path) -> None:
    shutil.copy(CLAIMS, params_file.parent)
    created = study(*ALL)
    created.set_user_attr("confirmation", confirmed(5, 1))
    assert apply(created, params_file).name == "digits_cnn_tuned"
    assert params.load(params_file).all_experiments["digits_cnn_tuned"].training.learning_rate == 0.0005, "of trial 5"
    assert changes(CLAIMS.read_text(), (params_file.parent / "claims.yaml").read_text())[0] == ""
    assert read_yaml(params_file.parent / "claims.yaml")["tuned_digits_cnn"] == {
        "says": "the winner of study digits_cnn beats its baseline",
        "first": {"experiment": "digits_cnn_tuned"},
        "second": {"experiment": "digits_cnn"},
        "changes": {"training.seed": 783},
        "metric": "accuracy",
        "direction": "higher",
        "smallest": 0.005,
        "seeds": 5,
    }
    before = {path: path.read_bytes() for path in params_file.parent.iterdir()}
    assert apply(created, params_file).name == "digits_cnn_tuned"
    assert {path: path.read_bytes() for path in params_file.parent.iterdir()} == before


@pytest.mark.parametrize("content", [None, "{}\n", "# ours\n{}\n"])
def test_the_first_claim_of_a_project_is_written_too(content: str | None, params_file: Path) -> None:
    claims = params_file.parent / "claims.yaml"
    if content is not None:
        claims.write_text(content)
    created = study(*ALL)
    created.set_user_attr("confirmation", confirmed(1, 5))
    apply(created, params_file)
    assert list(params.load_claims(params.load(params_file), claims)) == ["tuned_digits_cnn"]
    assert claims.read_text().startswith("# ours\n") is (content or "").startswith("#")


@pytest.mark.parametrize(
    "confirmation, message",
    [
        (confirmed(1, 5, gain=0.0), "over 5 seeds, no trial is better than the baseline"),
        (confirmed(1, 5, gain=-0.1), "over 5 seeds, no trial is better than the baseline"),
        (
            confirmed(1, 2),
            "other best trials since it was confirmed. Run again: modelyard tune digits_cnn --confirm",
        ),
        (
            with_tuned(confirmed(1, 5), 0.93),
            "no trial is better than digits_cnn_tuned, which params.yaml has (val_accuracy 0.93; trial 1 has 0.92)",
        ),
    ],
)
def test_a_winner_that_was_lucky_or_is_another_since_is_refused(
    confirmation: dict, message: str, params_file: Path
) -> None:
    created = study(*ALL)
    created.set_user_attr("confirmation", confirmation)
    with pytest.raises(ModelyardError, match=re.escape(message)):
        apply(created, params_file)
    assert params_file.read_bytes() == PARAMS.read_bytes()


def test_of_several_metrics_a_person_chooses_the_trial(params_file: Path) -> None:
    searched = study(LARGE, COMPACT, BEATEN)
    with pytest.raises(ModelyardError, match=r"has 2 metrics, .*: 0, 1\. Choose one: .* --apply --trial NUMBER"):
        apply(searched, params_file)
    with pytest.raises(ModelyardError, match="trial 0 is the baseline, experiment digits_cnn unchanged"):
        apply(searched, params_file, number=0)
    written = apply(searched, params_file, number=1)
    assert written.name == "digits_cnn_tuned"
    assert written.claim is None
    tuned = params.load(params_file).experiments["digits_cnn_tuned"]
    assert tuned.training.learning_rate == 0.01


def test_without_a_baseline_a_trial_is_applied_only_if_the_baseline_diverged(params_file: Path) -> None:
    with pytest.raises(
        ModelyardError, match=r"the baseline, trial 0, has failed \(its process was killed\), so .*again"
    ):
        apply(study(SPOILT, BEST), params_file)
    assert params_file.read_bytes() == PARAMS.read_bytes()
    diverged = trial([], TrialState.FAIL, reason="TrainingDiverged: the loss became nan")
    assert apply(study(diverged, BEST), params_file).name == "digits_cnn_tuned"


def test_an_equal_score_is_no_better_one(params_file: Path) -> None:
    with pytest.raises(ModelyardError, match="no trial is better than the baseline"):
        apply(study(trial([0.9], rate=0.02), BASELINE), params_file)


def test_the_note_says_how_the_winner_was_found() -> None:
    searched = study(*ALL, trial([0.1], again=4))
    assert find_winner(searched, PARAMS).note == "best of 6 trials of study digits_cnn", "a retry counts once"
    assert find_winner(searched, PARAMS, 5).note == "trial 5 of 6 trials of study digits_cnn"
    searched.set_user_attr("confirmation", confirmed(5, 1))
    assert find_winner(searched, PARAMS).note == "best over 5 seeds of the best 2 of 6 trials of study digits_cnn"


def test_a_claim_about_the_settings_before_is_reported(params_file: Path) -> None:
    searched = study(*ALL)
    searched.set_user_attr("confirmation", confirmed(5, 1))
    assert not apply(searched, params_file).outdates_claim
    assert apply(searched, params_file, replace=True, number=1).outdates_claim
    assert not apply(searched, params_file, number=1).outdates_claim, "it was reported, and nothing has changed since"


def test_a_trial_that_has_not_finished_cannot_be_chosen(params_file: Path) -> None:
    with pytest.raises(ModelyardError, match="no finished trial 2; finished are: 0, 1"):
        apply(study(BASELINE, BEST, PRUNED), params_file, number=2)


def test_an_edited_claim_is_replaced_only_on_request(params_file: Path) -> None:
    claims, created = params_file.parent / "claims.yaml", study(*ALL)
    created.set_user_attr("confirmation", confirmed(5, 1))
    apply(created, params_file)
    claims.write_text(claims.read_text().replace("smallest: 0.005", "smallest: 0.02 # ours"))
    edited = claims.read_bytes()
    assert apply(created, params_file).keeps_claim
    assert claims.read_bytes() == edited
    assert not apply(created, params_file, replace=True).keeps_claim
    assert read_yaml(claims)["tuned_digits_cnn"]["smallest"] == 0.005


def test_the_advice_to_replace_an_entry_names_the_chosen_trial(params_file: Path) -> None:
    searched = study(*ALL)
    apply(searched, params_file)
    with pytest.raises(ModelyardError, match="--apply --trial 5 --replace`, or rename that entry"):
        apply(searched, params_file, number=5)
