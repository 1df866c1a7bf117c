"""Typed rules over readings and signals, with their lives and their timers."""
