"""The row behind a shared explanation: one claim at a time, whatever else happens at the same moment."""

import datetime as dt
import threading

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Explanation, SharedAnswer
from alerts.services import clusters
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.explainers import lines

REQUEST = ExplanationRequest(
    title="t",
    severity="low",
    entity="user:alice",
    evidence=(lines.field_line(1, "user.name", "alice"), EvidenceLine(2, lines.CONTEXT, "1 event is in this alert.")),
    reasons=(),
    identifiers=(("user", "alice"),),
)
ANSWER = ExplanationAnswer(
    what_happened=(Claim("alice did it.", (1,), "grounded"),),
    why_it_matters=(),
    why_it_may_be_benign=(),
    next_checks=(),
    suggested_verdict="benign_tp",
    confidence="low",
    techniques=(),
    explainer="openai_chat",
    model="m" * 200,
    prompt_version="v3",
)
LATE = Claim("It was late at night.", (1,), "grounded")


@pytest.fixture(autouse=True)
def settled(settings):
    settings.LLM_SHARE_HOURS, settings.LLM_TIMEOUT_SECONDS, settings.LLM_RECHECK_SHARE = 2.0, 5.0, 0.0


def at_once(*works):
    """Run functions at the same moment, each in its thread with its own connection; return what they returned."""
    start, found, failures = threading.Barrier(len(works)), [None] * len(works), []

    def run(place):
        try:
            start.wait(20)
            found[place] = works[place]()
        except Exception as error:  # shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    return found


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_claim_at_once_one_has_it():
    found = at_once(*[lambda: clusters.claim("k")] * 5)
    assert sum(lease is not None for lease in found) == 1
    assert SharedAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_take_over_from_a_dead_one_one_has_it():
    dead = clusters.claim("k")
    SharedAnswer.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    found = [lease for lease in at_once(*[lambda: clusters.claim("k")] * 5) if lease is not None]
    assert [lease.shared_id for lease in found] == [dead.shared_id]
    assert clusters.store(dead, request=REQUEST, answer=ANSWER) is None
    assert clusters.find("k") is None
    assert clusters.store(found[0], request=REQUEST, answer=ANSWER) is not None


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_find_an_old_answer_one_asks_anew():
    clusters.store(clusters.claim("k"), request=REQUEST, answer=ANSWER)
    SharedAnswer.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    found = at_once(*[lambda: clusters.claim("k")] * 5)
    assert sum(lease is not None for lease in found) == 1
    ended, new = SharedAnswer.objects.order_by("id")
    assert (ended.ended_why, new.ended_at, new.answer) == ("its time was over", None, {})


@pytest.mark.django_db(transaction=True)
def test_uses_and_rechecks_at_once_are_all_counted_and_end_it_once():
    shared = clusters.store(clusters.claim("k"), request=REQUEST, answer=ANSWER)
    at_once(
        lambda: clusters.used(shared), lambda: clusters.used(shared),
        lambda: clusters.record_recheck(shared, changed=True), lambda: clusters.record_recheck(shared, changed=True),
    )  # fmt: skip
    shared.refresh_from_db()
    assert (shared.used, shared.rechecked, shared.changed) == (2, 2, 2)
    assert shared.ended_why == "asked again, the model suggested otherwise"
    assert clusters.find("k") is None


@pytest.mark.django_db
def test_a_stored_answer_is_found_for_its_hours_and_claimed_by_nobody():
    before = timezone.now()
    shared = clusters.store(clusters.claim("k"), request=REQUEST, answer=ANSWER)
    assert (shared.lease_until, shared.model, shared.prompt_version) == (None, "m" * 120, "v3")
    assert dt.timedelta(hours=1.9) < shared.expires_at - before < dt.timedelta(hours=2.1)
    assert clusters.find("k") == shared
    assert clusters.find("other") is None
    assert clusters.claim("k") is None
    assert clusters.fill(shared, REQUEST).what_happened == (Claim("alice did it.", (1,)),)


@pytest.mark.django_db
def test_an_answer_that_holds_for_one_alert_only_is_not_stored_and_gives_its_claim_back():
    only = ExplanationAnswer(**{name: getattr(ANSWER, name) for name in ANSWER.__slots__} | {"what_happened": (LATE,)})
    assert clusters.store(clusters.claim("k"), request=REQUEST, answer=only) is None
    assert not SharedAnswer.objects.exists()
    assert clusters.claim("k") is not None


@pytest.mark.django_db
def test_a_claim_alone_is_no_answer():
    clusters.claim("k")
    assert clusters.find("k") is None


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "suspected"), [(0, False), (24, True)])
def test_there_is_no_key_while_sharing_is_off_or_text_is_suspected(settings, hours, suspected):
    settings.LLM_SHARE_HOURS = hours
    alert = make_alert(make_source(), injection_suspected=suspected, kind={"template": "t"})
    assert clusters.key(alert, REQUEST, model="m", policy="raw") == ""


@pytest.mark.django_db
def test_there_is_a_key_otherwise():
    alert = make_alert(make_source(), kind={"template": "t"})
    assert len(clusters.key(alert, REQUEST, model="m", policy="raw")) == 64


@pytest.mark.django_db
def test_a_verdict_on_another_alert_ends_nothing():
    shared = clusters.store(clusters.claim("k"), request=REQUEST, answer=ANSWER)
    source = make_source()
    mine, other = make_alert(source), make_alert(source)
    Explanation.objects.create(alert=mine, explainer="x", suggested_verdict="benign_tp", shared=shared)
    assert clusters.contradict(alert_ids=[other.pk], value="tp_impact") == 0
    assert clusters.contradict(alert_ids=[mine.pk], value="fp_logic") == 0
    assert clusters.find("k") == shared
    assert clusters.contradict(alert_ids=[mine.pk, other.pk], value="tp_impact") == 1
    assert clusters.contradict(alert_ids=[mine.pk], value="tp_impact") == 0
    assert clusters.find("k") is None
    assert clusters.claim("k") is not None
