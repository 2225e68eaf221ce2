"""Engines: how Keras and scikit-learn models are built, fitted, saved and loaded."""
