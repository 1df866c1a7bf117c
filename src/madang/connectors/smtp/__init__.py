"""Situation messages as mail."""
