"""The intake under attack, with a small limit so that a bomb is a bomb at once."""

import pytest

from tests.hostile.harness import Harness

LIMIT = 4 * 2**20


@pytest.fixture
def harness(transactional_db, settings):
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = LIMIT
    running = Harness()
    yield running
    running.close()
