"""Incidents from the first word to the review: the heart of S2–S7."""
