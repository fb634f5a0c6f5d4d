"""The queue's filters, facets and groups: each choice counts what it shows, and a blind audit gives nothing away."""

import pytest
from django.http import QueryDict
from django.utils import timezone

from alerts.models import Alert, AlertTechnique, MuteRule
from alerts.selectors import queue, queue_groups
from alerts.selectors.queue_facets import facets, values_of
from alerts.selectors.queue_filter import FilterError, QueueFilter, matching
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.models import ModelVersion

pytestmark = pytest.mark.django_db
FIRST, SECOND = "1" * 64, "2" * 64


@pytest.fixture
def ana(make_user):
    return make_user("ana", "analyst")


@pytest.fixture
def estate(ana, make_user):
    """Return alerts by name, no two alike in any filter's column."""
    edge, core, now = make_source(), make_source("core"), timezone.now()
    version = ModelVersion.objects.create(version="v7", detector="x", artefact_sha256="0" * 64, trained_at=now)
    rule = MuteRule.objects.create(owner=ana, reason="r", expires_at=now, template=FIRST)
    alerts = {
        "plain": make_alert(edge, template=FIRST, title="Needle 100% sure", process_name="sshd"),
        "mine": make_alert(edge, template=FIRST, severity="low", assignee=ana, entity="host:db"),
        "bobs": make_alert(core, template=SECOND, severity="low", assignee=make_user("bob", "analyst")),
        "done": make_alert(core, template=SECOND, explanation_state="done", model_version=version),
        "escalated": make_alert(edge, template=SECOND, severity="info", escalated_at=now, escalated_by=ana),
        "suspected": make_alert(edge, severity="medium", injection_suspected=True),
        "sample": make_alert(edge, severity="critical", mute_rule=rule),
        "muted": make_alert(edge, status="muted", mute_rule=rule),
        "closed": make_alert(core, status="closed"),
        "audit": make_alert(
            edge, origin="blind_audit", severity="low", explanation_state="done", model_version=version
        ),
    }
    for name in ("plain", "audit"):
        AlertTechnique.objects.create(alert=alerts[name], technique_id="T1110")
    return alerts


OPEN = {"plain", "mine", "bobs", "done", "escalated", "suspected", "sample", "audit"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", OPEN),
        ("status=all", OPEN | {"muted", "closed"}),
        ("status=muted", {"muted"}),
        ("severity=low", {"mine", "bobs"}),  # not the open blind audit
        ("q=100%25 s", {"plain"}),
        ("q=100_", set()),
        ("q=sshd", {"plain"}),
        ("entity=host:db", {"mine"}),
        ("technique=T1110", {"plain"}),
        ("assignee=me", {"mine"}),
        ("assignee=nobody", OPEN - {"mine", "bobs"}),
        ("explanation=done", {"done"}),
        ("mark=escalated", {"escalated"}),
        ("mark=suspected", {"suspected"}),
        ("mark=sample", {"sample"}),
        ("mark=blind", {"audit"}),
        (f"template={FIRST}", {"plain", "mine"}),
    ],
)
def test_a_filter_shows_what_it_says_and_the_facets_count_the_same(estate, ana, query, names):
    wanted = QueueFilter.read(QueryDict(query), ana)
    by_pk = {alert.pk: name for name, alert in estate.items()}
    found = {by_pk[pk] for pk in matching(wanted).values_list("pk", flat=True)}
    assert found == names
    assert facets(wanted).total == len(names) == len(queue.page(wanted).alerts)


@pytest.mark.parametrize(
    "query", ["", "status=all", "severity=low", "source=0", "assignee=me&severity=low", "mark=blind"]
)
def test_every_choice_counts_what_it_would_show(estate, ana, query):
    wanted = QueueFilter.read(QueryDict(query), ana)
    found = facets(wanted)
    menus = [choice for facet in found.menus for choice in facet.choices]
    menus += values_of(wanted, "entity") + values_of(wanted, "technique")
    for choice in (*found.statuses, *found.severities, *menus):
        if not choice.chosen:
            shown = matching(QueueFilter.read(QueryDict(choice.query), ana)).count()
            assert (choice.label, choice.count) == (choice.label, shown)


def test_numbers_of_people_and_versions_find_their_alerts(estate, ana):
    bob, version = estate["bobs"].assignee_id, estate["done"].model_version_id
    assert list(matching(QueueFilter.read(QueryDict(f"assignee={bob}"), ana))) == [estate["bobs"]]
    assert list(matching(QueueFilter.read(QueryDict(f"version={version}"), ana))) == [estate["done"]]


def test_me_without_a_reader_is_nobodys_queue(estate):
    assert not matching(QueueFilter(assignee="me")).exists()


def test_facets_cost_the_same_however_many_alerts_there_are(estate, ana, django_assert_num_queries):
    wanted = QueueFilter(viewer=ana.pk)
    with django_assert_num_queries(4):
        facets(wanted)
    for number in range(30):
        make_alert(estate["plain"].source, entity=f"user:{number}")
    with django_assert_num_queries(4):
        facets(wanted)


def test_values_are_found_by_a_part_of_them_and_the_chosen_one_is_always_there(estate, ana, django_assert_num_queries):
    source = estate["plain"].source
    for number in range(15):
        for _ in range(2):
            make_alert(source, entity=f"host:many{number:02d}")
    with django_assert_num_queries(1):
        found = values_of(QueueFilter(), "entity", "MANY1")
    assert [(one.value, one.count) for one in found] == [(f"host:many{n}", 2) for n in range(10, 15)]
    with django_assert_num_queries(2):
        found = values_of(QueueFilter(entity="host:db"), "entity")
    assert (len(found), found[-1].value, found[-1].count, found[-1].chosen) == (13, "host:db", 1, True)
    assert [one.value for one in values_of(QueueFilter(), "technique", "brute")] == ["T1110"]
    assert values_of(QueueFilter(), "technique", "T9") == []


@pytest.mark.parametrize(
    "wanted",
    [
        QueueFilter(status="all", severity="low", source=3, search="a&b=c ü", template="x", group="none"),
        QueueFilter(assignee="me", technique="T1059.001", entity="user:a=b&c", version=4, mark="sample"),
    ],
)
def test_a_filter_survives_its_own_query_string(wanted):
    assert QueueFilter.read(QueryDict(wanted.query())) == wanted
    assert QueueFilter().query() == ""
    assert wanted.narrowed
    assert not QueueFilter(group="none").narrowed


class TestGroups:
    def test_counts_are_over_the_whole_result_and_the_most_urgent_alert_stands_for_it(self):
        source = make_source()
        for number in range(6):
            make_alert(source, template=FIRST, severity="low", entity=f"user:{number % 3}", event_count=2)
        top = make_alert(source, template=FIRST, severity="high", entity="user:9")
        other = make_alert(source, template=SECOND, severity="medium")
        closed = make_alert(source, template=FIRST, status="closed", severity="critical")
        first, second = queue_groups.page(QueueFilter()).groups
        assert (first.key, first.top, first.alerts, first.more, first.events, first.entities) == (
            FIRST,
            top,
            7,
            6,
            13,
            4,
        )
        assert (second.top, second.more, first.severity_rank) == (other, 0, 3)
        assert closed not in [group.top for group in (first, second)]
        assert QueueFilter.read(QueryDict(first.query)).template == FIRST

    def test_inside_a_group_are_its_entities_without_the_alert_that_stands_for_it(self):
        source = make_source()
        alerts = [make_alert(source, template=FIRST, entity=f"user:{n % 2}", severity="low") for n in range(5)]
        wanted = QueueFilter(template=FIRST)
        inside = queue_groups.page(wanted, by="entity", without=alerts[4].pk).groups
        assert {(group.key, group.alerts) for group in inside} == {("user:0", 2), ("user:1", 2)}

    def test_alerts_of_no_known_kind_stand_alone_and_can_be_asked_for(self):
        source = make_source()
        alerts = [make_alert(source), make_alert(source)]
        groups = queue_groups.page(QueueFilter()).groups
        assert {group.top for group in groups} == set(alerts)
        assert list(matching(QueueFilter.read(QueryDict(groups[0].query)))) == [groups[0].top]

    def test_pages_hold_every_group_once_in_order(self):
        source = make_source()
        for number in range(23):
            for severity in ("low", "medium") if number % 4 else ("high",):
                make_alert(source, template=f"{number:064d}", severity=severity)
        Alert.objects.filter(pk__lte=Alert.objects.first().pk + 8).update(worth=0.4)
        seen, cursor = [], ""
        while True:
            page = queue_groups.page(QueueFilter(), cursor=cursor, size=5)
            seen += page.groups
            cursor = page.next_cursor
            if not cursor:
                break
        keys = [(group.top.place, group.top.severity_rank) for group in seen]
        assert len({group.key for group in seen}) == len(seen) == 23
        assert keys == sorted(keys, reverse=True)

    @pytest.mark.parametrize("cursor", ["x", "9~1~2026-01-01T00:00:00+00:00~a", "1~1~2026-01-01T00:00:00~a", "~~~\0"])
    def test_a_broken_cursor_is_named(self, cursor):
        with pytest.raises(FilterError, match="cursor"):
            queue_groups.page(QueueFilter(), cursor=cursor)

    def test_three_queries_however_many(self, django_assert_num_queries):
        source = make_source()
        for number in range(40):
            make_alert(source, template=f"{number % 9:064d}")
        with django_assert_num_queries(3):
            assert len(queue_groups.page(QueueFilter()).groups) == 9

    def test_many_alerts_of_one_kind_in_front_do_not_hide_the_others(self, monkeypatch, django_assert_num_queries):
        source = make_source()
        for number in range(20):
            make_alert(
                source, template=FIRST if number < 14 else f"{number:064d}", severity="high" if number < 14 else "low"
            )
        usual = queue_groups.page(QueueFilter(), size=4)
        monkeypatch.setattr(queue_groups, "WALK", 5)
        with django_assert_num_queries(4):
            assert queue_groups.page(QueueFilter(), size=4) == usual
        assert [group.alerts for group in usual.groups] == [14, 1, 1, 1]
        rest = queue_groups.page(QueueFilter(), size=4, cursor=usual.next_cursor)
        assert ([group.alerts for group in rest.groups], rest.next_cursor) == ([1, 1, 1], "")


def test_an_escalated_alert_stands_first(estate):
    assert queue.page(QueueFilter(group="none")).alerts[0] == estate["escalated"]
    assert queue_groups.page(QueueFilter()).groups[0].top == estate["escalated"]
