"""The alert's page by its address: citations lead to fields, parts cost the same, a blind reviewer learns nothing."""

import html as markup
import re

import pytest

from alerts.models import Alert, AlertEvent, AuditEntry, Explanation, Verdict
from alerts.selectors.alert import alert_page
from alerts.services import explaining
from tests.alerts.flagged_events import REASON, START, flagged
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client, alice):
    client.force_login(alice)

    def get(path, status=200, **headers):
        response = client.get(path, headers=headers or None)
        assert response.status_code == status
        return response.content.decode()

    return get


@pytest.fixture
def explained(settings):
    """An alert of two events that the evidence explainer has explained."""
    settings.LLM_DATA_POLICY = "off"
    alert = make_alert(make_source(), event_count=2, techniques=["T1110"], entity="user:backup")
    for number, address in enumerate(("192.0.2.7", "198.51.100.9")):
        document = {"user.name": "backup", "host.name": "db-1", "source.ip": address, "source.port": 50122}
        event = flagged(alert.source, source_ip=address, document=document)
        AlertEvent.objects.create(
            alert=alert, event_id=event.pk, timestamp=START, score=7.5 - number, p_value=0.0005, reasons=[REASON]
        )
    assert explaining.explain_pending(limit=1) == 1
    return alert


def ids(text):
    return re.findall(r'\bid="([^"]+)"', text)


def test_every_citation_leads_to_a_line_and_every_field_of_a_line_to_that_field(page, explained):
    text = page(f"/alerts/{explained.pk}/")
    found = ids(text)
    assert len(found) == len(set(found)), "an id is there twice"
    first, second = explained.alert_events.order_by("-score").values_list("event_id", flat=True)
    cited = set(re.findall(r'class="cite" href="#([^"]+)"', text))
    assert cited
    assert cited <= set(found)
    assert set(re.findall(r'class="back-to" href="#([^"]+)"', text)) <= set(found)
    targets = re.findall(r'class="at" href="([^"]+)" data-ref data-event="(\d+)" data-field="([^"]+)"', text)
    here = {(target, name) for target, event, name in targets if int(event) == first}
    assert {name for _, name in here} >= {"user.name", "host.name", "source.ip", "source.port", "message", "@timestamp"}
    assert {target.removeprefix("#") for target, _ in here} <= set(found)
    assert (f"/events/{second}/raw/#field-{second}-source.ip", str(second), "source.ip") in targets
    assert f'id="field-{second}-source.ip"' in page(f"/events/{second}/raw/")


def test_fields_that_reasons_or_claims_name_are_marked_and_others_are_not(page, explained):
    text = page(f"/alerts/{explained.pk}/")

    def leaf(name):
        return re.search(rf'<li class="(leaf[^"]*)"[^>]*data-field="{name}".*?</li>', text, re.DOTALL)

    assert leaf("user.name")[1] == leaf("source.ip")[1] == "leaf marked"
    assert "A reason names this field" in leaf("user.name")[0]
    assert "A reason names this field" not in leaf("source.ip")[0]
    assert leaf("source.port")[1] == "leaf"


def test_techniques_are_named_and_lead_to_the_queue(page, explained):
    text = page(f"/alerts/{explained.pk}/")
    assert 'href="/?technique=T1110"' in text
    assert "Brute Force" in text
    assert "Credential Access" in text


def test_an_unknown_technique_has_neither_name_nor_link(page):
    text = page(f"/alerts/{make_full_alert(make_source(), techniques=['T9999<b>']).pk}/")
    assert "not a technique of ATT&amp;CK" in text
    assert "?technique=" not in text


@pytest.mark.parametrize("part", ["similar", "timeline", "events"])
def test_each_part_is_a_fragment_and_without_scripts_a_page(page, explained, part):
    fragment = page(f"/alerts/{explained.pk}/{part}/", **HTMX)
    whole = page(f"/alerts/{explained.pk}/{part}/")
    assert "<html" not in fragment
    assert "<h1>" in whole
    assert f'href="/alerts/{explained.pk}/"' in whole
    page(f"/alerts/{explained.pk + 99}/{part}/", status=404)


def test_parts_wait_until_they_are_seen_in_the_panel(page, explained):
    panel = page(f"/alerts/{explained.pk}/panel/", **HTMX)
    for part in ("similar", "timeline"):
        assert f'hx-get="/alerts/{explained.pk}/{part}/?embedded=1" hx-trigger="intersect once, retry"' in panel


@pytest.mark.parametrize("rows", [1, 30])
def test_a_timeline_costs_the_same(page, rows, django_assert_num_queries):
    alert = make_full_alert(make_source(), events=rows)
    page("/help/")
    with django_assert_num_queries(9):
        text = page(f"/alerts/{alert.pk}/timeline/?span=1h", **HTMX)
    assert text.count("data-event-row") == 0
    assert text.count('<details class="event flagged own"') == rows


@pytest.mark.parametrize("rows", [1, 9])
def test_similar_alerts_cost_the_same(page, rows, alice, django_assert_num_queries):
    source = make_source()
    alert = make_alert(source, template="k" * 64)
    for _ in range(rows):
        other = make_alert(source, template="k" * 64, title="seen before", entity="user:else")
        Verdict.objects.create(alert=other, value="benign_tp", decided_by="person", user=alice)
    page("/help/")
    with django_assert_num_queries(7):
        text = page(f"/alerts/{alert.pk}/similar/", **HTMX)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert f"Same kind : {rows} in 30 days : {rows} benign" in words
    assert "context, not evidence" in words
    assert text.count("seen before") == min(rows, 5)


def test_a_window_that_makes_no_sense_is_said_and_the_usual_one_shown(page, explained):
    text = page(f"/alerts/{explained.pk}/timeline/?from=x&to=y", status=422, **HTMX)
    assert "makes no sense" in text
    assert (
        'data-zoom="span=15m" aria-label="15 min to each side" title="15 min to each side" aria-current="true"' in text
    )


def test_further_events_come_in_parts(page):
    alert = make_full_alert(make_source(), events=45)
    first = page(f"/alerts/{alert.pk}/")
    assert first.count('<details class="event" data-event-row') == 10
    assert f"/alerts/{alert.pk}/events/?start=10" in first
    second = page(f"/alerts/{alert.pk}/events/?start=10", **HTMX)
    third = page(f"/alerts/{alert.pk}/events/?start=35", **HTMX)
    assert (second.count("<details"), third.count("<details")) == (25, 10)
    assert f"/alerts/{alert.pk}/events/?start=35" in second
    assert "?start=" not in third
    for wrong in ("x", "-1", "1000001"):
        page(f"/alerts/{alert.pk}/events/?start={wrong}", status=404)


def test_an_open_blind_audit_hides_what_would_steer_its_reviewer(page, alice):
    source = make_source()
    blind = make_full_alert(source, origin="blind_audit", inclusion_probability=0.1, template="k" * 64)
    Alert.objects.filter(pk=blind.pk).update(techniques=["T1110"])
    other = make_alert(source, template="k" * 64, title="decided before", entity="user:else")
    Verdict.objects.create(alert=other, value="tp_impact", decided_by="person", user=alice)
    event = blind.alert_events.get().event_id
    blind.alert_events.update(reasons=[REASON])
    line = {"number": 1, "origin": "event", "text": "host.name: db-1", "event_id": event}
    Explanation.objects.filter(alert=blind).update(evidence=[line])
    assert (alert_page(blind.pk).techniques, alert_page(blind.pk).lines) == ([], [])
    text = page(f"/alerts/{blind.pk}/")
    similar = page(f"/alerts/{blind.pk}/similar/", **HTMX)
    record = page(f"/events/{event}/raw/?in=alert", **HTMX)
    assert "Why flagged" not in text
    assert "T1110" not in text
    assert "decided before" not in similar
    assert "Hidden until you decide" in similar
    for shown in (text, record):
        assert "A reason names this field" not in shown
        assert "data-cite" not in shown
        assert 'class="leaf marked"' not in shown
    Alert.objects.filter(pk=blind.pk).update(status="closed")
    assert "decided before" in page(f"/alerts/{blind.pk}/similar/", **HTMX)
    assert "A reason names this field" in page(f"/events/{event}/raw/?in=alert", **HTMX)


def test_a_record_in_the_timeline_repeats_no_id_and_cites_nothing(page, explained):
    event = explained.alert_events.order_by("-score").values_list("event_id", flat=True)[0]
    whole = page(f"/alerts/{explained.pk}/")
    again = page(f"/events/{event}/raw/?in=timeline", **HTMX)
    assert set(ids(whole)) & set(ids(again)) == set()
    assert "data-cite" not in again
    assert f'href="/alerts/{explained.pk}/#ev-{explained.pk}-' in page(f"/events/{event}/raw/")


def test_hostile_text_is_inert_in_every_part(page, alice):
    source = make_source()
    alert = make_full_alert(source, text=HOSTILE, title=HOSTILE, entity=f"user:{HOSTILE}", template="k" * 64)
    Explanation.objects.filter(alert=alert).update(
        evidence=[
            {
                "number": 1,
                "origin": "event",
                "text": f"user.name: {HOSTILE}",
                "event_id": alert.alert_events.get().event_id,
            }
        ]
    )
    other = make_alert(source, title=HOSTILE, entity=f"user:{HOSTILE}", template="k" * 64)
    Verdict.objects.create(alert=other, value="fp_data", decided_by="person", user=alice, note=HOSTILE)
    AuditEntry.objects.create(
        alert=alert, actor=HOSTILE, actor_kind="person", action=HOSTILE[:64], details={"text": HOSTILE}
    )
    event = alert.alert_events.get().event_id
    for path in ("", "similar/", "timeline/", "events/?start=0"):
        check_inert(page(f"/alerts/{alert.pk}/{path}"))
    check_inert(page(f"/events/{event}/raw/"))


def check_inert(text):
    body = text.split("<body")[1]
    assert "<script>window" not in body
    assert "<img" not in body
    visible = markup.unescape(re.sub(r"<[^>]+>", "", body))
    assert "\u202e" not in visible
    title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)[1]
    assert "<" not in title
    assert "\u202e" not in title


def test_a_title_is_cut_in_the_middle_and_inert(page):
    alert = make_alert(make_source(), title="<b>" + "t" * 200 + "end")
    title = re.search(r"<title>(.*?)</title>", page(f"/alerts/{alert.pk}/"))[1]
    assert title.startswith("&lt;b&gt;ttt")
    assert title.endswith(f"tend · alert {alert.pk} · Winnow")
    assert len(markup.unescape(title)) < 130
