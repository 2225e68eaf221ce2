"""Which values of a sample lie outside what the training samples had."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from modelyard.data.contract import FeatureSummary, Measured, Reference, categories_of, measure, value_text
from modelyard.data.inputs import InputDescription
from modelyard.serving.batch import PredictionBatch

COLUMN = "outside_training"  # of a table of predictions


def outside_of_batch(reference: Reference, batch: PredictionBatch, description: InputDescription) -> list[str]:
    """Return what `name_outside` does for samples as they were read, the sizes of image files included."""
    named = name_outside(reference, measure(batch.x, description), batch.unknown)
    if not description.image_sizes or batch.image_sizes is None:
        return named
    sizes = (
        [
            f"{side} {pixels} ({low} to {high})"
            for side, (pixels, (low, high)) in description.image_sizes.outside(tuple(size)).items()
        ]
        for size in batch.image_sizes.tolist()
    )
    return ["; ".join(filter(None, [*texts, text])) for texts, text in zip(sizes, named, strict=True)]


def name_outside(reference: Reference, measured: Measured, unknown: Mapping[str, Mapping[int, str]]) -> list[str]:
    """Return for each sample the values outside the training samples', each with what these had; "" for none.

    Args:
        reference: what the training samples had.
        measured: the samples.
        unknown: by feature, the category that training did not see, of each sample that has one.
    """
    found: list[list[str]] = [[] for _ in measured.values]
    for number, feature in enumerate(reference.features):
        for position, text in _outside(feature, measured, number, unknown.get(feature.name, {})):
            found[position].append(text)
    return ["; ".join(texts) for texts in found]


def count_outside(reference: Reference, measured: Measured) -> Counter[str]:
    """Return the number of samples that are outside, by feature."""
    return Counter(
        feature.name
        for number, feature in enumerate(reference.features)
        for _ in _outside(feature, measured, number, {})
    )


def _outside(
    feature: FeatureSummary, measured: Measured, number: int, unknown: Mapping[int, str]
) -> Iterator[tuple[int, str]]:
    """The position of each sample outside the range or categories of a feature, and the text for it."""
    values = measured.values[:, number]
    if not feature.gaps:  # none, or None where they were refused
        for position in np.flatnonzero(np.isnan(values)).tolist():
            yield position, f"{feature.name}: no value (never in training)"
    if feature.is_coded:
        names = dict(enumerate(categories_of(measured.columns[number])))
        inside = [code for code, name in names.items() if name in feature.categories]
        for position in np.flatnonzero(~np.isnan(values) & ~np.isin(values, inside)).tolist():
            name = names.get(values[position])
            never = (
                f"{unknown[position]} (never in training)" if position in unknown else "a category never in training"
            )
            what = never if name is None else f"{name} (rare in training)"
            yield position, f"{feature.name}: {what}"
    elif feature.low is not None and feature.high is not None:
        low, high = value_text(feature.low, feature.kind), value_text(feature.high, feature.kind)
        for position in np.flatnonzero((values < feature.low) | (values > feature.high)).tolist():
            yield position, f"{feature.name} {value_text(values[position], feature.kind)} ({low} to {high})"
