"""Administrative boundaries (행정구역) as GeoJSON."""
