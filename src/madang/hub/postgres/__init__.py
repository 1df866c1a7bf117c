"""The store on PostgreSQL with PostGIS: several hub processes write to it at once."""
