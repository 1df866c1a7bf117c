"""Where things are: boundaries, the base map, addresses and the search for them, and the runs that import files."""
