"""Training data and tensors in MLflow's terms."""

from pathlib import Path

import numpy as np
from support.inputs import describe

from modelyard.data.samples import Samples
from modelyard.tracking.mlflow_schema import folder_digest, input_tags, tensor_schema


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
    expected = {"dataset": "made_up", "task": "regression", "input_sha256": "12"}
    assert input_tags(unnamed, "12") == expected
    assert input_tags(named, "12") == expected | {"features": "a, b"}


def test_a_dimension_of_any_size_is_minus_one() -> None:
    (tensor,) = tensor_schema("uint8", (None, 8, 8, 1)).inputs
    assert (tensor.shape, str(tensor.type)) == ((-1, 8, 8, 1), "uint8")
