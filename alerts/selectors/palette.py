"""What the palette offers beside pages and actions: the saved views a person may open.

Handed: a person. Hands on: their own views and the shared ones, as links.
"""

from dataclasses import dataclass

from django.db.models import Q

from alerts.models import SavedView
from triage.models import User

MAX_VIEWS = 200


@dataclass(frozen=True, slots=True)
class PaletteView:
    """A saved view: its name, the URL name of its page, and its query string."""

    name: str
    page: str
    query: str


def views_of(user: User) -> list[PaletteView]:
    """Return a person's views and the shared ones, by name: one query, at most :data:`MAX_VIEWS`."""
    rows = SavedView.objects.filter(Q(owner=user) | Q(shared=True)).order_by("name", "id")
    return [PaletteView(*row) for row in rows.values_list("name", "page", "query")[:MAX_VIEWS]]
