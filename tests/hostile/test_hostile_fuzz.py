"""Changed and random bodies by the thousand: a small share of what ``python -m tests.hostile.fuzz`` sends."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import strategies
from tests.hostile.endpoints import ENDPOINTS, READING
from tests.hostile.harness import Sending

pytestmark = [pytest.mark.slow, pytest.mark.second]
#: Bodies of each endpoint; the endpoints together make a few thousand.
EXAMPLES = 8 if os.environ.get("WINNOW_TEST_PROFILE") == "fast" else 25
TOGETHER = 5


def test_the_endpoints_are_all_there():
    assert len(READING) >= 22
    assert len(ENDPOINTS) - len(READING) >= 10


@pytest.mark.parametrize("endpoint", READING, ids=lambda endpoint: endpoint.name)
def test_changed_bodies(harness, endpoint):
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(strategies.request_of(endpoint), min_size=TOGETHER, max_size=TOGETHER))
    def several(requests):
        harness.send_all([Sending(endpoint, body, headers) for body, headers in requests])
        harness.drain(show=100)
        assert harness.stored() == 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(strategies.request_of(endpoint))
    def one(request):
        body, headers = request
        harness.send(endpoint, body, **headers)
        harness.drain(show=100)

    several()
    one()
    good = harness.send(endpoint, endpoint.bodies[0])
    assert good.status in endpoint.taken
