"""@contexts: compiled, fetched, hosted (clauses 5.5.7, 5.13)."""
