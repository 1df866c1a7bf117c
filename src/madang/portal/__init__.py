"""The citizens' pages: what video was provided, and the request to know about oneself."""
