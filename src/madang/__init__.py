"""Madang (마당): the open smart-city integrated platform."""

__version__ = "0.1.0"
