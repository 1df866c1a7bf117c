"""Readings over MQTT: topics become entities by configuration; what cannot be read is kept aside and counted."""
