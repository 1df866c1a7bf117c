"""A simulated city and the agencies around it: programs of their own that know the platform only by its contracts."""
