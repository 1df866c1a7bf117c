"""Checklists of what is done about an incident, by whom and by when."""
