"""A new source by its form: the token once, acknowledgement where it is asked for, and snippets that fit."""

import re

import pytest

from alerts.models import AuditEntry
from triage.authentication import source_for
from triage.models import Source

GUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def lead(client, charlie):
    client.force_login(charlie)
    return client


def test_a_source_with_acknowledgement_has_snippets_with_a_channel(lead):
    page = lead.post("/sources/new/", {"name": "syslog berlin", "use_ack": "on"})
    assert page.status_code == 201
    token = re.search(r'id="token">([^<]+)<', page.text).group(1)
    source = source_for(token)
    assert (source.name, source.use_ack) == ("syslog berlin", True)
    assert len(set(GUID.findall(page.text))) == 1
    assert "X-Splunk-Request-Channel: " in page.text
    assert "indexer_acknowledgements_enabled = true" in page.text
    assert AuditEntry.objects.get(action="create_source").details["use_ack"] is True


def test_a_source_without_it_has_none(lead):
    page = lead.post("/sources/new/", {"name": "plain"})
    assert page.status_code == 201
    assert Source.objects.get().use_ack is False
    assert not GUID.search(page.text)
    assert "X-Splunk-Request-Channel" not in page.text
    assert "indexer_acknowledgements_enabled = false" in page.text


@pytest.mark.parametrize(("data", "checked"), [({"name": " ", "use_ack": "on"}, True), ({"name": " "}, False)])
def test_after_a_problem_the_form_holds_what_was_ticked(lead, data, checked):
    page = lead.post("/sources/new/", data)
    assert page.status_code == 422
    assert ('name="use_ack" checked' in page.text) is checked
    assert not Source.objects.exists()
