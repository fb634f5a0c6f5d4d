"""The audit trail's chain: whatever is done to a sealed trail behind Winnow's back is found, and named."""

import datetime as dt
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import chain, tasks
from alerts.models import Alert, AuditEntry, AuditHead, AuditSeal, Verdict
from alerts.models.audit import chain_key
from alerts.services import audit, review, sealing
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
ENTRIES, SEALS = AuditEntry._meta.db_table, AuditSeal._meta.db_table


def write(count: int = 6) -> list[AuditEntry]:
    return [audit.record_automation(action="noted", automation="test", details={"n": n}) for n in range(count)]


def sealed(count: int = 6) -> list[AuditEntry]:
    written = write(count)
    assert sealing.seal() == count
    assert sealing.examine().faults == ()
    return written


def faults() -> list[tuple[int | None, int | None, str]]:
    return [(fault.position, fault.entry_id, fault.what) for fault in sealing.examine().faults]


@contextmanager
def behind_the_back():
    """Yield a cursor for which the triggers of both tables do not count."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a table with checks that wait for the commit cannot be altered
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in (ENTRIES, SEALS):
            if connection.vendor == "postgresql":
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only")
        yield cursor
        for table in (ENTRIES, SEALS):
            if connection.vendor == "postgresql":
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_a_trail_is_sealed_in_order_and_holds():
    written = sealed()
    seals = list(AuditSeal.objects.order_by("position"))
    assert [one.position for one in seals] == [1, 2, 3, 4, 5, 6]
    assert [one.entry_id for one in seals] == [entry.pk for entry in written]
    found = sealing.examine()
    assert (found.sealed, found.position, found.digest, found.faults) == (6, 6, seals[-1].digest, ())
    assert sealing.seal() == 0
    assert sealing.seal(everything=True) == 0
    write(1)
    assert sealing.seal() == 1
    assert AuditHead.objects.get().position == 7


def test_what_is_committed_is_sealed_at_once_and_once(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks, transaction.atomic():
        write(3)
        AuditEntry.objects.bulk_create([AuditEntry(actor="a", actor_kind="person", action="take") for _ in range(4)])
        assert AuditSeal.objects.count() == 0
    assert len(callbacks) == 1
    assert AuditSeal.objects.count() == 7
    assert sealing.examine().faults == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [("actor", "somebody"), ("action", "other"), ("actor_kind", "person"), ("details", '{"n": 99}'),
     ("created_at", "2020-01-01 00:00:00+00:00"), ("mac", "0" * 64), ("mac", "")],
)  # fmt: skip
def test_a_changed_entry_is_named(column, value):
    third = sealed()[2]
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET {column} = %s WHERE id = %s", [value, third.pk])
    assert faults() == [(3, third.pk, "was changed")]


def test_an_entry_whose_alert_was_changed_is_named():
    entry = audit.record_automation(action="noted", automation="test", alert=make_alert(make_source()))
    other = make_alert(make_source("other"))
    sealing.seal()
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET alert_id = %s WHERE id = %s", [other.pk, entry.pk])
    assert faults() == [(AuditSeal.objects.get(entry_id=entry.pk).position, entry.pk, "was changed")]


def test_a_deleted_entry_is_named():
    third = sealed()[2]
    with behind_the_back() as cursor:
        cursor.execute(f"DELETE FROM {ENTRIES} WHERE id = %s", [third.pk])
    assert faults() == [(3, third.pk, "was deleted")]


def test_an_entry_deleted_with_its_seal_is_named_by_its_place():
    third = sealed()[2]
    with behind_the_back() as cursor:
        cursor.execute(f"DELETE FROM {ENTRIES} WHERE id = %s", [third.pk])
        cursor.execute(f"DELETE FROM {SEALS} WHERE position = 3")
    assert faults() == [(3, None, "its seal was deleted")]


def test_entries_that_changed_places_are_named():
    written = sealed()
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {SEALS} SET entry_id = -1 WHERE position = 2")
        cursor.execute(f"UPDATE {SEALS} SET entry_id = %s WHERE position = 5", [written[1].pk])
        cursor.execute(f"UPDATE {SEALS} SET entry_id = %s WHERE position = 2", [written[4].pk])
    named = {(position, entry) for position, entry, _ in faults()}
    assert named == {(2, written[4].pk), (5, written[1].pk)}


def test_an_inserted_entry_is_named_and_never_sealed():
    sealed()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ENTRIES} (created_at, actor, actor_kind, action, details, mac)"
            " VALUES ('2026-01-01 00:00:00+00:00', 'eve', 'person', 'verdict', '{}', %s)", ["f" * 64]
        )  # fmt: skip
    eve = AuditEntry.objects.get(actor="eve")
    assert faults() == [(None, eve.pk, sealing.UNWRITTEN)]
    assert not AuditSeal.objects.filter(entry_id=eve.pk).exists()


def test_an_inserted_entry_without_a_digest_is_not_taken_for_an_old_one():
    sealed()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ENTRIES} (created_at, actor, actor_kind, action, details, mac)"
            " VALUES ('2026-01-01 00:00:00+00:00', 'eve', 'person', 'verdict', '{}', '')"
        )
    assert [what for *_, what in faults()] == [sealing.UNWRITTEN]


def test_a_cut_off_end_is_named():
    written = sealed()
    with behind_the_back() as cursor:
        cursor.execute(f"DELETE FROM {ENTRIES} WHERE id >= %s", [written[4].pk])
        cursor.execute(f"DELETE FROM {SEALS} WHERE position >= 5")
    assert faults() == [(5, None, "the seals up to 6 were deleted")]


def test_an_end_cut_off_with_the_note_about_it_shows_where_the_end_was_written_down_elsewhere():
    written = sealed()
    known = {6: AuditHead.objects.get().digest}
    fourth = AuditSeal.objects.get(position=4)
    with behind_the_back() as cursor:
        cursor.execute(f"DELETE FROM {ENTRIES} WHERE id >= %s", [written[4].pk])
        cursor.execute(f"DELETE FROM {SEALS} WHERE position >= 5")
    AuditHead.objects.update(position=4, digest=fourth.digest, entry_id=fourth.entry_id)
    assert faults() == []  # nothing in the database tells it
    found = sealing.examine(anchors=known).faults
    assert [(fault.position, fault.what[:26]) for fault in found] == [(6, "was written down elsewhere")]


def test_a_chain_made_anew_without_the_key_does_not_pass():
    third = sealed()[2]
    forged = b"another key, another chain......"
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET actor = 'eve' WHERE id = %s", [third.pk])
        third.actor = "eve"
        mac = third.content_mac(forged)
        digest = chain.link(forged, before=AuditSeal.objects.get(position=2).digest, position=3, entry_id=third.pk,
                            entry_mac=mac)  # fmt: skip
        cursor.execute(f"UPDATE {ENTRIES} SET mac = %s WHERE id = %s", [mac, third.pk])
        cursor.execute(f"UPDATE {SEALS} SET mac = %s, digest = %s WHERE position = 3", [mac, digest])
    assert {position for position, *_ in faults()} == {3, 4}


def test_another_key_is_said_to_be_one_and_seals_nothing(settings):
    sealed()
    settings.AUDIT_KEY = "k" * 40
    assert faults() == [(None, None, sealing.KEY_CHANGED)]
    write(1)
    assert sealing.seal_new() == 0
    assert AuditSeal.objects.count() == 6


def test_entries_from_before_the_chain_are_sealed_as_they_are():
    old = write(2)
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET mac = ''")
    AuditHead.objects.update_or_create(pk=1, defaults={"legacy_id": old[-1].pk})
    new = write(1)
    assert sealing.seal() == 3
    assert sealing.examine().faults == ()
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET actor = 'eve' WHERE id = %s", [old[0].pk])
    assert faults() == [(1, old[0].pk, "was changed")]
    assert new[0].mac


def test_an_entry_that_was_left_behind_is_found_by_the_sweep(monkeypatch):
    monkeypatch.setattr(sealing, "LOOK_BACK", 2)
    written = write(6)
    AuditHead.objects.get_or_create(pk=1)
    AuditHead.objects.update(entry_id=written[-1].pk)
    assert sealing.seal() == 2
    assert sealing.seal(everything=True) == 4
    assert sealing.examine().faults == ()


def test_the_database_refuses_to_change_a_seal():
    sealed()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditSeal.objects.filter(position=2).update(digest="0" * 64)
    assert sealing.examine().faults == ()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_comes_back_from_the_database_has_the_same_digest(details):
    entry = audit.record_automation(action="noted", automation="test", details={"value": details})
    assert AuditEntry.objects.get(pk=entry.pk).content_mac() == entry.mac


def test_content_is_told_apart_wherever_it_differs():
    known = {"created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "actor": "a", "kind": "person", "action": "take",
             "alert": None, "details": {}}  # fmt: skip
    others = [{"actor": "b"}, {"kind": "automation"}, {"action": "note"}, {"alert": 0}, {"details": {"n": 1}},
              {"details": {"n": "1"}}, {"details": {"n": True}}, {"details": {"n": "n1"}},
              {"details": {"n": 10**17}}, {"details": {"n": 10**17 + 1}},
              {"created_at": dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC)}]  # fmt: skip
    macs = {chain.mac(chain_key(), chain.content(**(known | other))) for other in [{}, *others]}
    assert len(macs) == 1 + len(others)


def test_without_an_entry_there_is_no_change(alice, monkeypatch):
    alert = make_alert(make_source())

    def refuse(*_, **__):
        raise DatabaseError("the trail cannot be written")

    monkeypatch.setattr(AuditEntry, "save", refuse)
    with pytest.raises(DatabaseError):
        review.record_verdict(alert_id=alert.pk, value="benign_tp", note="", user=alice, expected_revision=1)
    assert Verdict.objects.count() == 0
    assert list(Alert.objects.values_list("status", "revision", "assignee")) == [("open", 1, None)]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_found(tmp_path):
    third = sealed()[2]
    anchor = tmp_path / "anchors"
    digest = AuditHead.objects.get().digest
    assert run("--anchor", str(anchor)).splitlines() == [
        "6 entries examined, 0 faults",
        f"end of the chain: 6 {digest}",
    ]
    assert anchor.read_text().startswith(f"6 {digest} 20")
    with behind_the_back() as cursor:
        cursor.execute(f"UPDATE {ENTRIES} SET actor = 'eve' WHERE id = %s", [third.pk])
    with pytest.raises(SystemExit, match="1"):
        run("--anchor", str(anchor))
    assert len(anchor.read_text().splitlines()) == 1
    anchor.write_text("nonsense\n")
    with pytest.raises(CommandError, match="line 1: not the end of a chain"):
        run("--anchor", str(anchor))


def test_doctor_tells_what_was_left_without_a_seal():
    sealed(2)
    assert [(one.healthy, one.detail) for one in sealing.findings()] == [
        (True, "2 entries sealed, 0 wait for their seal")
    ]
    write(1)
    assert sealing.findings()[0].healthy  # it has just been written
    AuditEntry.objects.create(
        actor="a", actor_kind="person", action="take", created_at=timezone.now() - dt.timedelta(hours=1)
    )
    assert [(one.healthy, one.detail) for one in sealing.findings()] == [
        (False, "2 entries sealed, 1 wait for their seal")
    ]


def test_the_sweep_seals_everything():
    write(3)
    assert tasks.seal_audit() == 3
    assert sealing.examine().faults == ()


def test_what_is_made_at_the_shell_is_in_the_trail(alice):
    for command in (("create_source", "edge"), ("create_source", "edge", "--rotate"), ("create_token", "alice")):
        call_command(*command, stdout=StringIO())
    entries = list(AuditEntry.objects.order_by("id").values_list("action", "details"))
    assert [action for action, _ in entries] == ["source.created", "source.rotated", "token.created"]
    assert entries[0][1] == {"source": "edge"}
    assert entries[2][1]["user"] == "alice"
    with pytest.raises(CommandError):
        call_command("create_source", "edge", stdout=StringIO())
    assert AuditEntry.objects.count() == 3
