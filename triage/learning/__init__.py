"""Learning: from history to a candidate, and the pure gate that decides whether it serves."""

from triage.learning.gate import Decision, gate
from triage.learning.training import Candidate, train

__all__ = ["Candidate", "Decision", "gate", "train"]
