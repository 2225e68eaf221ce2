"""How often test samples were looked at to promote a model, from the file that `modelyard promote` writes."""

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


def _test_set(md5: str, entry: dict[str, Any]) -> LookedAtTestSet:
    versions = [
        PromotedVersion(
            number=f"{each['model']} {each['version']}",
            experiment=each.get("experiment", ""),
            metric=each.get("metric", ""),
            decision=" ".join(
                filter(None, [each.get("reason", ""), f"Forced: {each['forced']}" if each.get("forced") else ""])
            ),
        )
        for each in entry["versions"]
    ]
    models = ", ".join(dict.fromkeys(each["model"] for each in entry["versions"]))
    return LookedAtTestSet(models, md5[:PART], int(entry["comparisons"]), versions)
