"""Training data, tensors and tables in MLflow's terms."""

from pathlib import Path

import numpy as np
import pytest
from support.inputs import describe

from modelyard.data.samples import Samples
from modelyard.tracking.mlflow_schema import folder_digest, input_tags, table_signature, tensor_schema


def test_the_digest_changes_with_names_and_contents_alone(tmp_path: Path) -> None:
    digests = []
    for folder, files in (("a", {"x": "1"}), ("b", {"x": "1"}), ("c", {"y": "1"}), ("d", {"x": "2"})):
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_text(content)
        digests.append(folder_digest(tmp_path / folder))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert all(len(digest) == 64 for digest in digests)


def test_features_are_a_tag_where_they_have_names() -> None:
    samples = Samples(np.zeros((4, 2)), np.zeros(4))
    unnamed, named = describe(samples), describe(samples, features=("a", "b"))
    expected = {"dataset": "made_up", "task": "regression"}
    assert input_tags(unnamed) == expected
    assert input_tags(named) == expected | {"features": "a, b"}


def test_a_dimension_of_any_size_is_minus_one() -> None:
    (tensor,) = tensor_schema("uint8", (None, 8, 8, 1)).inputs
    assert (tensor.shape, str(tensor.type)) == ((-1, 8, 8, 1), "uint8")


@pytest.mark.parametrize(
    "classes, changes, outputs",
    [
        ((), {}, [("prediction", "double")]),
        (("no", "yes"), {}, [("prediction", "string"), ("probability_no", "double"), ("probability_yes", "double")]),
        ((), {"task": "reconstruction"}, [("a", "double"), ("b", "double")]),
    ],
)
def test_a_table_of_plain_numbers_has_a_signature_of_required_columns(
    classes: tuple[str, ...], changes: dict[str, str], outputs: list[tuple[str, str]]
) -> None:
    samples = Samples(np.zeros((4, 2)), np.zeros(4))
    signature = table_signature(describe(samples, classes=classes, features=("a", "b"), **changes))
    assert [(each.name, each.type.name, each.required) for each in signature.inputs] == [
        ("a", "double", True),
        ("b", "double", True),
    ]
    assert [(each.name, each.type.name) for each in signature.outputs] == outputs
