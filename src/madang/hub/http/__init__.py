"""The hub over HTTP: requests to operations, operations to answers."""
