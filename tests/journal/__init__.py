"""The journal: what may never be lost, over both storages."""
