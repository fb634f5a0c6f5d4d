"""The rhythm of the day: which habits happen how often, and when.

Handed: the company, a random source and a span of time. Hands on: ordinary messages in time order. The office's
clock is set so that the run starts at two in the afternoon, whatever the time is where the run happens: a
sample shown at night should not look like night work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from bench.company.habits import machines, office
from bench.company.message import Message
from bench.company.world import Company

Habit = Callable[[Company, Random, float], list[Message]]
HOUR = 3600.0
START_HOUR = 14.0
#: Chance per hour of the office's day, relative to its busiest hour.
OFFICE_HOURS = (0, 0, 0, 0, 0, 0.1, 0.4, 0.7, 1, 1, 1, 0.9, 0.6, 0.9, 1, 1, 0.9, 0.6, 0.3, 0.1, 0.1, 0.05, 0, 0)
SHOP_HOURS = (
    0.2,
    0.1,
    0.1,
    0.1,
    0.1,
    0.2,
    0.4,
    0.6,
    0.7,
    0.8,
    0.8,
    0.8,
    0.9,
    0.8,
    0.8,
    0.8,
    0.8,
    0.9,
    1,
    1,
    1,
    0.9,
    0.6,
    0.4,
)
ALL_DAY = (1,) * 24
NIGHT = (0, 1, 1) + (0,) * 21


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One habit, its share of all sessions, and its chance at each hour of the office's clock."""

    habit: Habit
    weight: float
    hours: tuple[float, ...]


RHYTHMS = (
    Rhythm(office.log_on, 9, OFFICE_HOURS),
    Rhythm(office.work, 12, OFFICE_HOURS),
    Rhythm(office.browse, 16, OFFICE_HOURS),
    Rhythm(office.ssh_work, 6, OFFICE_HOURS),
    Rhythm(office.remote_desktop, 2.5, OFFICE_HOURS),
    Rhythm(office.new_laptop, 0.15, OFFICE_HOURS),
    Rhythm(office.onboarding, 0.1, OFFICE_HOURS),
    Rhythm(machines.shop_visit, 14, SHOP_HOURS),
    Rhythm(machines.crawl, 4, ALL_DAY),
    Rhythm(machines.stray_requests, 1.5, ALL_DAY),
    Rhythm(machines.stray_logins, 1.5, ALL_DAY),
    Rhythm(machines.timers, 7, ALL_DAY),
    Rhythm(machines.mail, 5, SHOP_HOURS),
    Rhythm(machines.build, 2.5, OFFICE_HOURS),
    Rhythm(machines.cloud_admin, 1.5, OFFICE_HOURS),
    Rhythm(machines.backup, 1.2, NIGHT),
    Rhythm(machines.updates, 1.0, ALL_DAY),
    Rhythm(machines.sensor_noise, 2.0, ALL_DAY),
    Rhythm(machines.name_service, 5, ALL_DAY),
)
WEIGHTS = tuple(rhythm.weight for rhythm in RHYTHMS)


def _happens(rng: Random, rhythm: Rhythm, at: float, now: float) -> bool:
    hour = int(START_HOUR + (at - now) / HOUR) % 24
    return rng.random() < rhythm.hours[hour]


def past(company: Company, rng: Random, *, now: float, count: int, days: float = 3.0) -> list[Message]:
    """Return exactly ``count`` ordinary messages of the last ``days`` days, oldest first, all before ``now``."""
    sent: list[Message] = []
    while len(sent) < count:
        at = now - rng.random() * days * 24 * HOUR
        rhythm = rng.choices(RHYTHMS, weights=WEIGHTS)[0]
        if _happens(rng, rhythm, at, now):
            sent += [message for message in rhythm.habit(company, rng, at) if message.time < now]
    sent.sort(key=lambda message: message.time)
    return sent[len(sent) - count :]


def present(company: Company, rng: Random, *, start: float, seconds: float, count: int) -> list[Message]:
    """Return up to ``count`` ordinary messages within ``seconds`` from ``start``: an afternoon, run faster."""
    sent: list[Message] = []
    while len(sent) < count:
        # A session may have begun before the span, so that the first seconds are not thinner than the rest.
        at = start - 30 + rng.random() * (seconds + 30)
        rhythm = rng.choices(RHYTHMS, weights=WEIGHTS)[0]
        if _happens(rng, rhythm, start, start):
            sent += [m for m in rhythm.habit(company, rng, at) if start <= m.time < start + seconds]
    sent.sort(key=lambda message: message.time)
    return sent[:count]


def trickle(company: Company, rng: Random, *, start: float, per_second: float) -> Iterator[Message]:
    """Yield ordinary messages for ever, in time order, about ``per_second`` of them a second."""
    span = 60.0
    while True:
        yield from present(company, rng, start=start, seconds=span, count=max(1, round(span * per_second)))
        start += span
