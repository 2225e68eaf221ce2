"""Training, evaluation and comparison of experiments."""
