"""The API holds what its own description says, whatever it is sent: made from the OpenAPI document by schemathesis.

The intake's paths, which another part of the web process serves, have a fuzzer of their own (``tests/hostile``).
"""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from alerts.models import Alert
from tests.alerts.rows import make_full_alert
from tests.factories import make_source
from triage.authentication import hash_token, new_token
from triage.models import ApiToken, TokenScope

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.slow]
APPLICATION = get_wsgi_application()
SCHEMA = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", APPLICATION)
CHECKS = checks.CHECKS.get_by_names([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
])  # fmt: skip


@pytest.fixture(autouse=True)
def one_connection():
    """A server closes what is old after each request; this one is the test's."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def token(make_user) -> str:
    for number in range(3):
        make_full_alert(make_source(f"s{number}"), fingerprint=str(number))
    made = new_token()
    ApiToken.objects.create(user=make_user("robot", "lead"), token_hash=hash_token(made), scope=TokenScope.WRITE)
    return made


@SCHEMA.exclude(path_regex="/api/v1/ingest").parametrize()
@settings(
    max_examples=20, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_answer_is_one_that_is_described(case, token):
    before = Alert.objects.count()
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, checks=CHECKS)
    assert Alert.objects.count() == before
