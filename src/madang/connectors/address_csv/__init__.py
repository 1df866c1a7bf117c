"""Addresses with their positions as a table: what makes a city's streets findable."""
