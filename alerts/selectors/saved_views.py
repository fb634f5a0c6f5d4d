"""Saved views as the pages list them.

Handed: a person and a page. Hands on: their views and the shared ones, those of the queue with how many alerts they
show now, all counted in one query.
"""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.http import QueryDict

from alerts.models import Alert, SavedPage, SavedView
from alerts.selectors.queue_filter import FilterError, QueueFilter, condition
from triage.models import User

#: Views that are listed and counted.
MAX_LISTED = 60


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One view; ``count`` is None where nothing is counted, ``problem`` says why its filter cannot be read any more."""

    view: SavedView
    mine: bool
    count: int | None
    problem: str = ""


def views_of(user: User, page: str) -> list[ViewRow]:
    """Return a person's views of a page, then the shared ones of others, by name: two queries."""
    rows = SavedView.objects.filter(Q(owner=user) | Q(shared=True), page=page).select_related("owner")
    views = sorted(rows.order_by("name", "id")[:MAX_LISTED], key=lambda view: view.owner_id != user.pk)
    if page != SavedPage.QUEUE:
        return [ViewRow(view, view.owner_id == user.pk, None) for view in views]
    filters, problems = _filters(views, user)
    counts = _counts(filters)
    return [ViewRow(view, view.owner_id == user.pk, counts.get(view.pk), problems.get(view.pk, "")) for view in views]


def _filters(views: list[SavedView], user: User) -> tuple[dict[int, QueueFilter], dict[int, str]]:
    filters, problems = {}, {}
    for view in views:
        try:
            filters[view.pk] = QueueFilter.read(QueryDict(view.query), user)
        except FilterError as error:
            problems[view.pk] = str(error)
    return filters, problems


def _counts(filters: dict[int, QueueFilter]) -> dict[int, int]:
    if not filters:
        return {}
    asked = {f"view_{pk}": Count("id", filter=condition(wanted)) for pk, wanted in filters.items()}
    found = Alert.objects.aggregate(**asked)
    return {pk: found[f"view_{pk}"] for pk in filters}
