"""Pages of the back office that need more than one room: desks, imports, reviews, the decision table, the audit."""
