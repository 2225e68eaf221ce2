"""What the modules of tasks share."""

import numpy as np
import pytest
from support.inputs import describe

from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.experiments.tasks import white_level

IMAGES = Samples(np.zeros((2, 4, 4, 1), np.uint8), np.arange(2.0))


@pytest.mark.parametrize(
    ("scaling", "scaler", "white"),
    [
        ("pixels", Scaler(scale=(255.0,)), 255),
        ("minmax", Scaler(scale=(16.0,)), 16),
        ("minmax", Scaler(offset=(1.0, 2.0), scale=(14.0, 15.0)), 17),
        ("standard", Scaler(offset=(3.0,), scale=(2.0,)), 255),
        ("none", Scaler(), 255),
    ],
)
def test_white_is_the_top_of_the_range_that_scaling_maps_to_1(scaling: str, scaler: Scaler, white: float) -> None:
    assert white_level(describe(IMAGES, scaling=scaling, scaler=scaler)) == white
