"""After-action reports, lessons and alarm load."""
