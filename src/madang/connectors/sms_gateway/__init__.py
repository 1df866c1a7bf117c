"""Situation messages as text messages, over a city's SMS gateway."""
