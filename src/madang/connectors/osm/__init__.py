"""A real city's map out of OpenStreetMap: its roads, buildings, water, parks and named places."""
