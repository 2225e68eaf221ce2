"""Compares search methods on tables of fully trained configurations, then the best of them in real searches."""
