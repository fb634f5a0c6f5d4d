"""Which events teach and which calibrate: every common kind does both, whenever it came."""

from triage.contracts import ParsedEvent
from triage.detectors.splitting import COMMON_KIND, split


def event(number: int, kind: str) -> ParsedEvent:
    return ParsedEvent(float(number), "event", "zeek", "", {"event.dataset": kind, "n": number})


def numbers(part: list[ParsedEvent], kind: str) -> list[int]:
    return [found.fields["n"] for found in part if found.fields["event.dataset"] == kind]


def test_a_kind_that_fell_silent_early_is_calibrated_on_its_own_newest_part() -> None:
    events = [event(n, "dns") for n in range(100)] + [event(n, "http") for n in range(100, 300)]

    parts = split(events, [False] * len(events), 0.01)
    taught, held_back, calibrating = parts.taught, parts.held_back, parts.calibrating

    assert numbers(taught, "dns") == list(range(65))
    assert numbers(held_back, "dns") == list(range(65, 80))
    assert numbers(calibrating, "dns") == list(range(80, 100))
    assert numbers(calibrating, "http") == list(range(260, 300))
    assert len(taught) + len(held_back) + len(calibrating) == 300


def test_a_rare_kind_stays_where_time_puts_it() -> None:
    rare = [event(n, "rdp") for n in range(COMMON_KIND - 1)]
    events = rare + [event(n, "http") for n in range(1000, 2000)]

    parts = split(events, [False] * len(events), 0.01)
    taught, held_back, calibrating = parts.taught, parts.held_back, parts.calibrating

    assert numbers(taught, "rdp") == list(range(COMMON_KIND - 1))
    assert numbers(held_back, "rdp") == numbers(calibrating, "rdp") == []


def test_each_part_keeps_the_order_of_time() -> None:
    events = [event(n, "dns" if n % 3 else "http") for n in range(400)]
    parts = split(events, [False] * len(events), 0.01)
    for part in (parts.taught, parts.held_back, parts.calibrating):
        assert [found.timestamp for found in part] == sorted(found.timestamp for found in part)


def test_a_suspect_teaches_nothing_and_calibrates_within_the_budget() -> None:
    events = [event(n, "http") for n in range(1000)]
    suspects = [n % 10 == 0 for n in range(1000)]

    parts = split(events, suspects, 0.02)

    assert [found.fields["n"] for found in (*parts.taught, *parts.held_back) if found.fields["n"] % 10 == 0] == []
    assert (len(parts.taught), len(parts.held_back)) == (585, 135)
    # 200 events calibrate, 2 % of them may be suspects: four, evenly spaced.
    assert [found.fields["n"] for found in parts.calibrating if found.fields["n"] % 10 == 0] == [800, 850, 900, 950]
    assert len(parts.calibrating) == 184
