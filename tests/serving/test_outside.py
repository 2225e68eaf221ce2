"""Values outside the training samples', in words."""

from pathlib import Path

import numpy as np
import pytest
from support.training_inputs import image_input, tabular_input

from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference, measure
from modelyard.data.readers.image_file import ImageSizes
from modelyard.serving import tables
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.outside import count_outside, name_outside, outside_of_batch

NEVER = "town: a category never in training"


def measured(*values: float) -> Measured:
    column = Column(name="town", kind="category", categories=("Bonn", "Ulm"))
    return Measured((column,), np.array(values)[:, np.newaxis], (False,))


@pytest.mark.parametrize(
    "value, text",
    [
        (0, ""),
        (1, "town: Ulm (rare in training)"),
        (-1, NEVER),
        (2, NEVER),
        (0.5, NEVER),
        (1e300, NEVER),
        (np.inf, NEVER),
        (-np.inf, NEVER),
        (np.nan, "town: no value (never in training)"),
    ],
)
def test_any_value_of_a_column_of_categories_has_a_text(value: float, text: str) -> None:
    reference = Reference.of(measured(*[0] * 20, 1))
    assert name_outside(reference, measured(0, value), {}) == ["", text]
    assert count_outside(reference, measured(0, value)).total() == bool(text)


def test_a_category_that_training_did_not_see_is_named(tmp_path: Path) -> None:
    columns = (Column(name="town", kind="category", categories=("Bonn",)), Column(name="b", kind="number"))
    description = tabular_input().description.model_copy(update={"columns": columns, "features": ("town", "b")})
    (tmp_path / "rows.csv").write_text("town,b\nBonn,1\nBonn,much\nGhent,2\nOslo,3\n")
    batch, *_ = tables.read([tmp_path / "rows.csv"], description)
    known = Reference.of(measure(np.array([[0.0, 1.0], [0.0, 3.0]] * 10), description))
    assert name_outside(known, measure(batch.x, description), batch.unknown) == [
        "",
        "town: Ghent (never in training)",
        "town: Oslo (never in training)",
    ]


def test_an_image_of_another_size_than_all_in_training_is_named_with_their_range() -> None:
    data = image_input()
    sizes = ImageSizes.of([(20, 30), (40, 30)])
    description = data.description.model_copy(update={"image_sizes": sizes})
    known = Reference.of(measure(data.samples.x, description))
    batch = PredictionBatch({}, data.samples.x[:3], image_sizes=np.array([[20, 30], [41, 30], [30, 29]]))
    assert outside_of_batch(known, batch, description) == ["", "height 41 (20 to 40)", "width 29 (30 to 30)"]
