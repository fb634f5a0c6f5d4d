"""From an event to its evidence: pure functions and a learned baseline."""
