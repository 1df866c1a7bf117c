"""Situation messages spoken by loudspeakers, over a city's public address system."""
