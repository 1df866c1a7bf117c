"""A simulated police situation room: its own keys, ledger and clock, built from the published contract alone."""
