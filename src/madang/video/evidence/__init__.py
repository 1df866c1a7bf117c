"""Stills, locked recordings and exports that anyone can verify."""
