"""The intake under attack: one per module, with a small limit so that a bomb is a bomb at once."""

import pytest
from django.core.management import call_command
from django.test import override_settings

from tests.hostile.harness import Harness

LIMIT = 4 * 2**20


@pytest.fixture(scope="module")
def attacked(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), override_settings(MAX_BODY_BYTES=LIMIT, MAX_WIRE_BYTES=LIMIT):
        running = Harness()
        yield running
        running.close()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def harness(attacked):
    """The module's intake, with nothing stored before and after."""
    yield attacked
    attacked.noticed.errors.clear()
    attacked.noticed.leaks.clear()
    attacked.forget()
