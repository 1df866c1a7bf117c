"""Situation messages by tier, acknowledged by people, over many channels."""
