"""Studies: searches for better settings of an experiment. Only this folder imports Optuna."""
