"""Roads, buildings, water, parks and labels of the base map as GeoJSON."""
