"""The intrusions of the day.

Handed: the company, a seed and a span of time. Hands on: every story once, spread over the span.
"""

from collections.abc import Callable
from random import Random

from bench.company.stories import servers, windows, wire
from bench.company.stories.base import Story
from bench.company.world import Company

WRITERS: tuple[Callable[[Company, Random, float], Story], ...] = (
    servers.brute_force,
    windows.password_spray,
    servers.web_shell,
    servers.injection,
    windows.encoded_powershell,
    servers.privilege_escalation,
    windows.lateral_movement,
    windows.persistence,
    wire.exfiltration,
    servers.cloud_key_abuse,
    wire.dns_tunnel,
    windows.log_clearing,
)
#: No story takes longer than this, in seconds.
LONGEST = 20.0


def tell(company: Company, seed: int, *, start: float, seconds: float) -> list[Story]:
    """Return all stories in the order in which they begin, none beginning in the first tenth of the span."""
    rng = Random(f"{seed}:order")
    writers = list(WRITERS)
    rng.shuffle(writers)
    first, last = start + seconds * 0.1, max(start + seconds * 0.15, start + seconds - LONGEST)
    gap = (last - first) / (len(writers) - 1)
    return [
        writer(company, Random(f"{seed}:{writer.__name__}"), first + gap * number)
        for number, writer in enumerate(writers)
    ]
