"""Trains experiments over several seeds, and tests claims about them."""
