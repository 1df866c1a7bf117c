"""The Django project: settings, addresses, the server; composes the rooms and their workers."""
