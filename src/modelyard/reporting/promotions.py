"""How often test samples were looked at to promote a model, from the file that `modelyard promote` writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.reporting.project_files import ProjectFiles

PROMOTIONS = "reports/promotions.json"
PART = 8  # digits of an MD5 that a person needs


@dataclass(frozen=True)
class PromotedVersion:
    """A version of a registered model: its number, its experiment, its metric, and the decision on it."""

    number: str
    experiment: str
    metric: str
    decision: str


@dataclass(frozen=True)
class LookedAtTestSet:
    """Test samples that models were promoted by.

    Attributes:
        models: the names of the registered models.
        md5: the first digits of the MD5 of the samples' folder.
        comparisons: how many comparisons they have decided.
        versions: the versions that were evaluated on them.
    """

    models: str
    md5: str
    comparisons: int
    versions: list[PromotedVersion]


def looked_at_test_sets(files: ProjectFiles) -> list[LookedAtTestSet]:
    """All test samples that promotions used; none if there is no such file."""
    return files.attempt(
        PROMOTIONS,
        lambda: [_test_set(*each) for each in (files.json(PROMOTIONS) or {}).get("test_samples", {}).items()],
        [],
    )


def _decision(version: Mapping[str, str]) -> Iterator[str]:
    yield version.get("reason", "")
    if forced := version.get("forced"):
        yield f"Forced: {forced}"
    if rolled_back := version.get("rolled_back"):
        yield f"Rolled back {rolled_back}."


def _test_set(md5: str, entry: dict[str, Any]) -> LookedAtTestSet:
    versions = [
        PromotedVersion(
            number=f"{each['model']} {each['version']}",
            experiment=each.get("experiment", ""),
            metric=each.get("metric", ""),
            decision=" ".join(filter(None, _decision(each))),
        )
        for each in entry["versions"]
    ]
    models = ", ".join(dict.fromkeys(each["model"] for each in entry["versions"]))
    return LookedAtTestSet(models, md5[:PART], int(entry["comparisons"]), versions)
