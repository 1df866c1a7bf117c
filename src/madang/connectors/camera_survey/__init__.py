"""Surveyed views and stream addresses of cameras, as a table or JSON, into the cameras already imported."""
