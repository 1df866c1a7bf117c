"""What sensors, bells, agencies and people report, and what becomes of it."""
