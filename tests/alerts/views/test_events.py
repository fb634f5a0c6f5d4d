"""The event search page: what is found is shown inert, what cannot be read is said, files hold no formula."""

import csv
import io
import json

import orjson
import pytest
from django.urls import reverse

from alerts.models import Alert, AlertEvent, AuditEntry
from alerts.services import event_exports
from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_source
from tests.triage.searching.corpus import NOON, parsed, put
from triage.models import Event, EventChunk

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
HOSTILE_NAME = 'x" onmouseover="window.hit=3" <b>{{ 7*7 }}</b> \u202e%27'


@pytest.fixture
def source(db):
    return make_source("edge")


def store_some(source, count=6, **fields):
    usual = {"user__name": "root", "host__name": "web-1", "event__action": "login"} | fields
    events = [parsed(number, message=f"login {number} of root from 192.0.2.7", **usual) for number in range(count)]
    return put(source, events, flagged=(1,))


def get(client, name="events", fragment=False, **parameters):
    return client.get(reverse(name), parameters, headers=FRAGMENT if fragment else {})


@pytest.fixture
def page_of(client, bob):
    client.force_login(bob)
    return lambda **parameters: get(client, **parameters)


def rows_in(response):
    return [row.event.pk for row in response.context["found"].rows]


def test_the_page_lists_what_was_received_last_first(page_of, source):
    ids = store_some(source)
    response = page_of()
    assert response.status_code == 200
    assert rows_in(response) == ids[::-1]
    text = response.content.decode()
    assert "That is all: 6 events looked at" in text
    assert text.count('class="event-row') == 6
    assert text.count('class="event-row is-flagged"') == 1
    assert "login 5 of root" in text


def test_a_search_narrows_and_the_box_holds_what_was_written(page_of, source):
    ids = store_some(source)
    put(source, [parsed(9, user__name="alice", message="other")])
    response = page_of(q="user:ROOT -flagged:yes")
    assert rows_in(response) == [one for one in reversed(ids) if one != ids[1]]
    assert 'value="user:ROOT -flagged:yes"' in response.content.decode()
    assert rows_in(page_of(q='"of root from 192.0.2.7" "login 3"')) == [ids[3]]
    assert rows_in(page_of(**{"from": "2026-05-04T12:00:02", "to": "2026-05-04T12:00:04Z"})) == [ids[3], ids[2]]
    assert rows_in(page_of(range="1h")) == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"q": 'user:"ro'}, "A quotation mark is not closed."),
        ({"q": "nonsense:1"}, "No field is called"),
        ({"q": "x" * 3000}, "Longer than 2,000 characters"),
        ({"q": "a\0b"}, "Holds a character that no event has"),
        ({"from": "yesterday"}, "is no time"),
        ({"from": "2026-05-05", "to": "2026-05-04"}, "ends before it begins"),
        ({"range": "1y"}, "Unknown range"),
        ({"group": "nonsense"}, "is no field"),
        ({"cols": "nonsense"}, "is no field"),
        ({"q": "(" * 500}, "Nested deeper"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_searched(page_of, source, parameters, words):
    store_some(source)
    response = page_of(**parameters)
    assert response.status_code == 200
    text = response.content.decode()
    assert words in text
    assert "Nothing was searched" in text
    assert "event-row" not in text


def test_numbers_in_the_address_that_mean_nothing_are_as_good_as_none(page_of, client, source):
    ids = store_some(source)
    for before in ("-1", "x", "9" * 40, "²"):
        assert rows_in(page_of(before=before)) == ids[::-1]
    for so in ("", "1.2", "a.b.c.d.e", "0.0.0.1.1", "9" * 13 + ".1.0.1.1", "1." * 3000):
        assert get(client, "event_histogram", fragment=True, so=so).status_code == 200


def test_bounds_that_no_event_reaches_are_answered(page_of, client, source):
    ids = store_some(source, 3)
    for asked, found in (
        ("id:1e20", []), ("id:>-1e299", ids[::-1]), ("id:<1e299", ids[::-1]), ("id:1.5", []),
        (f"id:{ids[1]}", [ids[1]]),
        ("score:>1e299", []), ("p:<=1e299", ids[::-1]), ("score:[-1e299 TO 1e299]", ids[::-1]),
        ("timestamp:>=1900-01-01", ids[::-1]), ("received:<2200-12-31", ids[::-1]), ("source.port:>1e299", []),
    ):  # fmt: skip
        assert rows_in(page_of(q=asked)) == found, asked
        assert get(client, "event_histogram", fragment=True, q=asked).status_code == 200
    wide = {"from": "1900-01-01", "to": "2200-12-31"}
    assert rows_in(page_of(**wide)) == ids[::-1]
    assert sum(bars(get(client, "event_histogram", fragment=True, **wide))[0]) == 3


def test_pages_go_on_where_the_one_before_ended(client, bob, source, monkeypatch):
    monkeypatch.setattr("alerts.selectors.events.PAGE", 2)
    ids = store_some(source)
    client.force_login(bob)
    first = get(client, q="user:root")
    assert rows_in(first) == [ids[5], ids[4]]
    assert first.context["found"].next == ids[4]
    assert "Show more" in first.content.decode()
    more = first.context["more"]
    second = client.get(more, headers=FRAGMENT)
    assert rows_in(second) == [ids[3], ids[2]]
    assert "<html" not in second.content.decode()
    plain = client.get(more)
    assert (plain.status_code, plain["Location"]) == (302, f"/events/?q=user.name%3Aroot&before={ids[4]}")
    assert rows_in(client.get(plain["Location"])) == [ids[3], ids[2]]


def test_a_search_that_is_not_full_goes_on_by_itself_but_not_for_ever(client, bob, source, monkeypatch):
    store_some(source)
    client.force_login(bob)
    monkeypatch.setattr("triage.searching.walk.Progress.spent", property(lambda _: True))
    monkeypatch.setattr("triage.searching.walk._FIRST_PAGE", 1)
    put(source, [parsed(9, user__name="alice")])
    first = get(client, q="user:root").content.decode()
    assert 'hx-trigger="load delay:30ms"' in first
    assert "looking on" in first
    last = get(client, "event_rows", fragment=True, q="user:root", round="40").content.decode()
    assert "hx-trigger" not in last
    assert "Look further" in last


def test_the_number_of_questions_does_not_grow_with_the_rows(client, bob, source, django_assert_num_queries):
    client.force_login(bob)
    store_some(source, 4)
    with django_assert_num_queries(10):
        get(client, q="user:root")
    store_some(source, 40)
    with django_assert_num_queries(10):
        get(client, q="user:root")
    with django_assert_num_queries(11):  # and the documents, for a column that only they have
        get(client, q="user:root", cols="host.name,log.file.path")


def test_of_a_blind_audit_no_score_is_told(client, alice, source):
    ids = store_some(source)
    audit = make_alert(source, origin="blind_audit")
    found = make_alert(source)
    AlertEvent.objects.create(alert=audit, event_id=ids[0], timestamp=NOON, score=1.0, p_value=1.0)
    AlertEvent.objects.create(alert=found, event_id=ids[1], timestamp=NOON, score=1.0, p_value=0.5)
    client.force_login(alice)
    response = get(client)
    rows = {row.event.pk: row for row in response.context["found"].rows}
    assert [(rows[one].blind, rows[one].alert_id) for one in ids[:3]] == [
        (True, audit.pk),
        (False, found.pk),
        (False, None),
    ]
    assert response.content.decode().count(">hidden</span>") == 1
    lines = list(csv.DictReader(io.StringIO(export(client).decode())))
    assert {line["id"]: line["p_value"] for line in lines}[str(ids[0])] == ""
    Alert.objects.filter(pk=audit.pk).update(status="closed")
    assert ">hidden</span>" not in get(client).content.decode()


def test_hostile_text_stays_text(client, bob, source):
    store_some(source, 2, user__name=HOSTILE_NAME, host__name=HOSTILE, event__action="\u202egpj")
    put(source, [parsed(5, message=HOSTILE * 3, **{"x<script>y.z": HOSTILE})])
    client.force_login(bob)
    asked = f"user:{json.dumps(HOSTILE_NAME, ensure_ascii=False)}"
    for response in (
        get(client),
        get(client, q=asked),
        get(client, q=HOSTILE),
        get(client, group="user.name"),
        get(client, cols="host.name,x<script>y.z"),
        get(client, group="x<script>y.z"),
        get(client, "event_histogram", q=asked),
        get(client, "event_histogram", fragment=True, q=asked),
        get(client, "event_values", field="user.name", value=HOSTILE_NAME, q=asked),
        get(client, "event_values", fragment=True, field="x<script>y.z", value=HOSTILE, q="((("),
    ):
        text = response.content.decode()
        assert response.status_code == 200
        assert "<script>window" not in text
        assert "<script>y" not in text
        assert 'onmouseover="' not in text
        assert "<img" not in text
        assert "\u202e" not in text.replace('data-copy-text="', "\0").split("\0")[0]
        assert "49" not in text.split("</title>")[0]
    assert len(get(client, q=asked).context["found"].rows) == 2


def test_grouping_counts_values_over_what_was_looked_at(page_of, source):
    store_some(source, 5)
    put(source, [parsed(9, user__name="alice"), parsed(10)])
    response = page_of(group="user", q="-nothing")
    tops = response.context["tops"]
    assert [(row.value, row.count, round(row.share, 1)) for row in tops.rows] == [("root", 5, 83.3), ("alice", 1, 16.7)]
    assert (tops.done, tops.covered.events, tops.others) == (True, 7, 0)
    text = response.content.decode()
    assert "Counted over all 7 stored events" in text
    assert "event-row" not in text
    assert "No event that matches has a value" in page_of(group="file.name").content.decode()


def bars(response):
    chart = response.context["histogram"].chart
    return [int(value) for value in chart.series[0].values], [int(value) for value in chart.series[1].values]


def test_counts_over_time_are_of_the_whole_result(client, bob, source):
    client.force_login(bob)
    store_some(source)
    put(source, [parsed(3, user__name="alice")])
    plain = get(client, "event_histogram", fragment=True)
    assert bars(plain) == ([1, 1, 1, 2, 1, 1], [0, 1, 0, 0, 0, 0])
    some = get(client, "event_histogram", fragment=True, q="user:root")
    assert bars(some) == ([1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0])
    assert "<b>6</b> events" in some.content.decode()
    words = get(client, "event_histogram", fragment=True, q='"login 1" OR alice')
    assert sum(bars(words)[0]) == 2
    assert "<html" not in plain.content.decode()
    assert "<html" in get(client, "event_histogram").content.decode()
    ranged = get(
        client, "event_histogram", fragment=True, **{"from": "2026-05-04T12:00:01", "to": "2026-05-04T12:00:03"}
    )
    assert bars(ranged) == ([1, 1], [1, 0])


def test_counting_goes_on_from_what_was_counted(client, bob, source, monkeypatch):
    client.force_login(bob)
    store_some(source)
    store_some(source)
    whole = bars(get(client, "event_histogram", fragment=True, q="user:root"))
    monkeypatch.setattr("triage.searching.walk.Progress.spent", property(lambda _: True))
    monkeypatch.setattr("triage.searching.walk._FIRST_PAGE", 1)
    first = get(client, "event_histogram", fragment=True, q="user:root")
    assert "counting on" in first.content.decode()
    assert sum(bars(first)[0]) == 6
    second = client.get(first.context["count_more"], headers=FRAGMENT)
    assert bars(second) == whole
    assert not second.context["count_more"]


def test_a_few_events_far_off_in_time_do_not_squeeze_the_others(client, bob, source, monkeypatch):
    client.force_login(bob)
    for _ in range(201):
        put(source, [parsed(1)])
    put(source, [parsed(-400 * 86_400, user__name="late")])
    response = get(client, "event_histogram", fragment=True)
    assert sum(bars(response)[0]) == 201
    assert response.context["histogram"].outside == 1
    assert "1 more lies outside this time" in response.content.decode()


def export(client, form="csv", **parameters):
    response = client.post(reverse("event_export"), {"format": form, **parameters})
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def test_an_export_is_what_was_searched_and_is_written_down(client, alice, source):
    ids = store_some(source)
    put(source, [parsed(9, user__name="alice")])
    client.force_login(alice)
    rows = list(csv.DictReader(io.StringIO(export(client, q="user:root").decode())))
    assert [int(row["id"]) for row in rows] == ids[::-1]
    assert rows[0]["message"] == "login 5 of root from 192.0.2.7"
    assert (rows[4]["flagged"], rows[4]["source"], rows[4]["user.name"]) == ("True", "edge", "root")
    lines = [orjson.loads(line) for line in export(client, "ndjson", q="flagged:yes").splitlines()]
    assert [(line["id"], line["fields"]["user.name"]) for line in lines] == [(ids[1], "root")]
    entries = list(AuditEntry.objects.filter(action="events.exported").order_by("id").values_list("actor", "details"))
    assert [(actor, details["query"], details["format"]) for actor, details in entries] == [
        ("alice", "user.name:root", "csv"), ("alice", "flagged:true", "ndjson"),
    ]  # fmt: skip


def test_a_formula_in_an_export_is_text(client, alice, source):
    put(
        source, [parsed(1, message="=cmd|' /C calc'!A0", user__name="@SUM(1)", host__name='a"b\r\nc', event__code="+1")]
    )
    client.force_login(alice)
    text = export(client).decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["message"], row["user.name"], row["event.code"]) == ("'=cmd|' /C calc'!A0", "'@SUM(1)", "'+1")
    assert text.count("\r\n") == 2


def test_an_export_that_is_cut_off_says_so(client, alice, source, monkeypatch):
    monkeypatch.setattr(event_exports, "MAX_EVENTS", 4)
    monkeypatch.setattr(event_exports, "_PIECE", 3)
    store_some(source, 4)
    client.force_login(alice)
    assert b"cut off" not in export(client)
    put(source, [parsed(9)])
    for form in event_exports.FORMATS:
        lines = export(client, form).splitlines()
        assert len(lines) == (6 if form == "csv" else 5)
        assert b"cut off after 4 events" in lines[-1]


def test_nothing_is_exported_by_who_may_not_or_without_a_search_that_can_be_read(client, alice, bob, source):
    store_some(source)
    client.force_login(bob)
    assert "Export" not in get(client).content.decode()
    assert client.post(reverse("event_export"), {"format": "csv"}).status_code == 403
    client.force_login(alice)
    assert client.post(reverse("event_export"), {"format": "xlsx"}).status_code == 404
    assert client.post(reverse("event_export"), {"format": "csv", "q": "("}).status_code == 302
    assert client.get(reverse("event_export")).status_code == 405
    assert not AuditEntry.objects.exists()


def test_the_menu_of_a_value_leads_on(client, bob):
    client.force_login(bob)
    response = get(client, "event_values", fragment=True, field="source.ip", value="203.0.113.7", q="user:root")
    actions = {action.label: action.address for action in response.context["menu"].actions}
    assert actions["Include"] == "/events/?q=user.name%3Aroot+source.ip%3A203.0.113.7"
    assert actions["Exclude"] == "/events/?q=user.name%3Aroot+-source.ip%3A203.0.113.7"
    assert actions["Only"] == "/events/?q=source.ip%3A203.0.113.7"
    assert actions["Group by"] == "/events/?q=user.name%3Aroot&group=source.ip"
    assert actions["Open its page"].endswith("?name=203.0.113.7")
    text = response.content.decode()
    assert 'data-copy-text="203[.]0[.]113[.]7"' in text
    assert "<html" not in text
    bare = get(client, "event_values", field="user.name", value="root")
    assert [action.label for action in bare.context["menu"].actions][:3] == [
        "Events with it",
        "Events without it",
        "Group by",
    ]
    assert "<html" in bare.content.decode()
    for field, value in (("score", "1"), ("", "x"), ("user.name", ""), ("nonsense", "x"), ("user.name", "x" * 3000)):
        assert "cannot be searched for" in get(client, "event_values", field=field, value=value).content.decode()


def test_the_first_day_teaches_the_next_step(page_of, source):
    assert "No event stored" in page_of().content.decode()
    source.delete()
    assert "No source yet" in page_of().content.decode()
    assert not Event.objects.exists()
    assert not EventChunk.objects.exists()
