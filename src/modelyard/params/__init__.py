"""params.yaml, claims.yaml and published.yaml as typed and checked settings."""

from modelyard.params.checks import load, load_claims, load_published
from modelyard.params.project import Project

__all__ = ["Project", "load", "load_claims", "load_published"]
