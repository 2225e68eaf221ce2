"""The setting `evaluate` of an experiment: a second evaluation, by repeated k-fold, that uses no test sample."""

from pydantic import Field

from modelyard.core.config import Settings

EVALUATE = {"evaluate", "on_request"}
"""Keys in an experiment that are excluded where settings are compared: they change no model and no test metric."""


class FoldEvaluation(Settings):
    """Repeated k-fold over the training and validation samples; each fit is measured on its fold."""

    folds: int = Field(ge=2, description="number of folds; by class, group or in time where the input is split so")
    repeats: int = Field(default=1, ge=1, description="how often, each time with other folds and another training seed")
