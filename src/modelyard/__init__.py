"""Modelyard: notebook models rebuilt as a tracked pipeline."""
