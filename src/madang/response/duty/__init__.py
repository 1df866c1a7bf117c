"""Shifts, their hand-over, claims that end with their holder, and the radio and phone log."""
