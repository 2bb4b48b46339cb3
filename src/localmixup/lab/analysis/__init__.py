"""From finished runs to a table, its statistics, a decision and its words."""
