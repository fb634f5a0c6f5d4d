"""Learning: from history to a candidate, and the pure gates that decide whether it serves."""

from triage.learning.gate import Decision, gate
from triage.learning.training import Candidate, describe_labels, train

__all__ = ["Candidate", "Decision", "describe_labels", "gate", "train"]
