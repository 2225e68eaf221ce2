"""Values outside the training samples', in words."""

import numpy as np
import pytest

from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference
from modelyard.serving.outside import count_outside, name_outside

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
    assert name_outside(reference, measured(0, value)) == ["", text]
    assert count_outside(reference, measured(0, value)).total() == bool(text)
