"""Data sets: download, read, split, scale, and write them as inputs of models."""
