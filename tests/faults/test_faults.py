"""Parts of Winnow die under load, and nothing is lost, doubled or left undone; the page says it while it lasts.

``bench/faults.py`` does every fault both ways; here are those with most to find.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.estate import Estate, estate, under_load
from tests.faults.faults import FAULTS, SERVERS, Fault

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
ON_SERVERS = ("PostgreSQL killed, recovers", "Redis killed, back empty")
EMBEDDED = ("everything killed at once", "every message again, ten times a second")


def named(names: tuple[str, ...]) -> list[Fault]:
    found = [fault for fault in FAULTS if fault.name in names]
    assert len(found) == len(names)
    return found


@pytest.fixture(scope="module")
def embedded() -> Iterator[Estate]:
    with TemporaryDirectory(prefix="winnow-faults-") as text, estate(Path(text), on_servers=False) as one:
        yield one


@pytest.fixture(scope="module")
def on_servers() -> Iterator[Estate]:  # not below pytest's own directory, which PostgreSQL's account may not enter
    with TemporaryDirectory(prefix="winnow-faults-") as text, estate(Path(text), on_servers=True) as one:
        yield one


def endure(one: Estate, fault: Fault) -> None:
    before = one.outcome()
    with under_load(one) as load:
        red = fault.run(one)
    after = one.outcome(patience=fault.patience)
    assert after.faults() == {}
    assert after.stored - before.stored >= len(load.acknowledged) > 0
    assert after.flagged > before.flagged
    if fault.is_red:
        assert red is not None, "the page was not red"
        one.wait_for(lambda: not one.page_is_red(), 60)


@pytest.mark.once
@pytest.mark.parametrize("fault", named(EMBEDDED), ids=lambda fault: fault.name)
def test_embedded(embedded: Estate, fault: Fault) -> None:
    endure(embedded, fault)


@pytest.mark.second
@pytest.mark.parametrize("fault", named(ON_SERVERS), ids=lambda fault: fault.name)
def test_on_servers(on_servers: Estate, fault: Fault) -> None:
    assert SERVERS in fault.ways
    endure(on_servers, fault)
