"""Metrics: their definitions, those of detected boxes, and how sure a value is."""

from modelyard.metrics.definitions import *  # noqa: F403
