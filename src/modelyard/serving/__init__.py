"""Models in use: predictions for files, the model registry, promotion."""
