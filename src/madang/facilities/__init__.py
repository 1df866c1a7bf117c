"""What the city owns in the street, its inspections, outages and work orders."""
