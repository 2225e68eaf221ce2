"""The batches that `serving` reads, as one."""

from collections.abc import Iterable

import numpy as np

from modelyard.serving.batch import PredictionBatch


def join(batches: Iterable[PredictionBatch]) -> PredictionBatch:
    """All samples of some batches, and all that was noticed while reading them."""
    parts = list(batches)
    filled = [batch for batch in parts if len(batch)] or parts[:1]
    sizes = [batch.image_sizes for batch in filled if batch.image_sizes is not None]
    return PredictionBatch(
        {name: [each for batch in filled for each in batch.names[name]] for name in filled[0].names},
        np.concatenate([batch.x for batch in filled]),
        tuple(warning for batch in parts for warning in batch.warnings),
        tuple(error for batch in parts for error in batch.errors),
        np.concatenate(sizes) if sizes else None,
    )
