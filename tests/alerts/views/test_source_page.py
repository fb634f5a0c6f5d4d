"""A source is added in a minute: its token once, a snippet for every shipper, and word of the first event."""

import html
import re

import pytest
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage.authentication import source_for
from triage.models import Source

pytestmark = [pytest.mark.django_db, pytest.mark.once]
SHIPPERS = {
    "curl": "/api/v1/ingest",
    "hec": "/services/collector/event",
    "sc4s": "SC4S_DEST_SPLUNK_HEC_DEFAULT_URL=http://testserver",
    "filebeat": "path: /elastic",
    "winlogbeat": "path: /elastic",
    "logstash": 'path => "/elastic"',
    "fluentbit": "Name          splunk",
    "vector": "splunk_hec_logs",
    "rsyslog": 'server="http://testserver/elastic"',
    "syslogng": "/services/collector/event",
    "otel": "logs_endpoint: http://testserver/v1/logs",
    "loki": "/loki/api/v1/push",
    "alloy": "/loki/api/v1/push",
}
SNIPPET = re.compile(
    r'<details[^>]*><summary>([^<]+)</summary><p class="snippet-note[^>]*>([^<]+)</p>.*?id="s-(\w+)">(.*?)</code>', re.S
)


def snippets(text):
    """Return ``{name: (note, code)}`` of the snippets on a page."""
    return {name: (note, html.unescape(code)) for _, note, name, code in SNIPPET.findall(text)}


def test_a_new_source_shows_its_token_once_in_a_snippet_for_every_shipper(client, charlie):
    client.force_login(charlie)
    page = client.post("/sources/new/", {"name": "plain"})
    token = re.search(r'id="token">([^<]+)<', page.text).group(1)
    source = Source.objects.get()
    assert source_for(token).name == source.name == "plain"
    found = snippets(page.text)
    assert set(found) == set(SHIPPERS)
    for name, part in SHIPPERS.items():
        assert part in found[name][1]
        assert token in found[name][1], name
        assert "YOUR_TOKEN" not in found[name][1]
    again = client.get(f"/sources/{source.pk}/").text
    assert token not in again
    assert {name for name, (_, code) in snippets(again).items() if "YOUR_TOKEN" in code} == set(SHIPPERS)


def test_a_snippet_says_whether_its_program_was_run(client, bob):
    source = make_source()
    client.force_login(bob)
    found = snippets(client.get(f"/sources/{source.pk}/").text)
    run = {name for name, (note, _) in found.items() if "Run against Winnow" in note}
    assert run == {"curl", "hec", "rsyslog", "syslogng"}
    assert {name for name, (note, _) in found.items() if "was not run here" in note} == set(SHIPPERS) - run


def test_what_a_new_source_needs_next_comes_first(client, charlie):
    source = make_source()
    client.force_login(charlie)
    text = client.get(f"/sources/{source.pk}/").text
    assert text.index("Waiting for the first event") < text.index('id="send"') < text.index('id="settings"')
    make_batch(source, "x", status="done", event_count=1)
    text = client.get(f"/sources/{source.pk}/").text
    assert text.index("Receiving.") < text.index('id="settings"') < text.index('id="send"')


def test_the_page_asks_until_the_first_event_has_come_and_then_no_more(client, bob):
    source = make_source()
    client.force_login(bob)
    waiting = client.get(f"/sources/{source.pk}/received/").text
    assert "Waiting for the first event" in waiting
    assert f'hx-get="/sources/{source.pk}/received/" hx-trigger="every 3s"' in waiting
    make_batch(source, "x", status="received", received_at=timezone.now())
    received = client.get(f"/sources/{source.pk}/received/").text
    assert "Receiving." in received
    assert "hx-get" not in received
    link = re.search(r'href="([^"]+)">Its events<', received).group(1)
    assert link == "/events/?q=feed%3A%22edge%22"
    assert client.get(link).status_code == 200


def test_only_a_lead_sees_the_button_that_replays(client, charlie, alice):
    source = make_source()
    batch = make_batch(source, "x", status="quarantined", reason="ValueError: broken")
    client.force_login(alice)
    text = client.get(f"/sources/{source.pk}/").text
    assert "ValueError: broken" in text
    assert f"/batches/{batch.pk}/replay/" not in text
    client.force_login(charlie)
    assert f'action="/batches/{batch.pk}/replay/"' in client.get(f"/sources/{source.pk}/").text
