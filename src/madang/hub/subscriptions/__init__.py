"""Subscriptions and their notifications (clauses 5.8, 5.2.12–5.2.15)."""
