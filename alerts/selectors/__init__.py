"""Selectors: reads for the analyst side, each with a constant number of queries."""
