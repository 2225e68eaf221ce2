"""Searches for better values of an experiment's settings: processes that share one Optuna study."""
