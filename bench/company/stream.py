"""The whole stream: the days before, the afternoon with its intrusions, and the quiet after.

Handed: a seed and the clock's reading. Hands on: messages in time order. The same seed and clock give the
same stream, byte for byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bench.company.habits import day
from bench.company.message import Message
from bench.company.stories import tell
from bench.company.stories.base import Story
from bench.company.world import Company, build_company


@dataclass(frozen=True, slots=True)
class Afternoon:
    """The live phase: its messages in time order, and the stories among them."""

    messages: tuple[Message, ...]
    stories: tuple[Story, ...]


class Stream:
    """One seed's company and its three phases."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.company: Company = build_company(seed)

    def history(self, *, now: float, count: int) -> list[Message]:
        """Return ``count`` ordinary messages of the days before ``now``."""
        return day.past(self.company, Random(f"{self.seed}:past"), now=now, count=count)

    def afternoon(self, *, start: float, seconds: float, per_second: float) -> Afternoon:
        """Return ``seconds`` of ordinary traffic at ``per_second`` with every story among it."""
        rng = Random(f"{self.seed}:present")
        count = max(1, round(seconds * per_second))
        ordinary = day.present(self.company, rng, start=start, seconds=seconds, count=count)
        stories = tell(self.company, self.seed, start=start, seconds=seconds)
        messages = ordinary + [message for story in stories for message in story.messages]
        messages.sort(key=lambda message: message.time)
        return Afternoon(tuple(messages), tuple(stories))

    def evening(self, *, start: float, per_second: float) -> Iterator[Message]:
        """Yield ordinary messages for ever."""
        return day.trickle(self.company, Random(f"{self.seed}:after"), start=start, per_second=per_second)
