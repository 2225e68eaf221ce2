"""params.yaml, claims.yaml and published.yaml as typed and checked settings."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.params.checks import check_search_spaces, load, load_claims, load_published
    from modelyard.params.project import Project

__all__ = ["Project", "check_search_spaces", "load", "load_claims", "load_published"]


def __getattr__(name: str) -> Any:
    """Import the settings where they are used: a prediction needs none of them, and they take most of its time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modelyard.params import checks, project

    return getattr(project if name == "Project" else checks, name)
