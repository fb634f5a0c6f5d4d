"""Saved views: filters people want again, for themselves or for everybody.

Handed: who asks and what is to be kept. Hands on: the stored view. The query is kept in its page's canonical form, so
that a view never holds more than that page reads. Sharing, and changing what is shared, is in the audit trail.
"""

from django.db import IntegrityError, transaction

from alerts.models import SavedPage, SavedView
from alerts.permissions import has_role
from alerts.services import audit
from alerts.text import visible
from triage.models import Role, User

MAX_NAME, MAX_QUERY, MAX_VIEWS = 80, 4000, 100


class ViewError(ValueError):
    """The view cannot be kept as asked; nothing was changed. The message says why."""


def may_change(view: SavedView, user: User) -> bool:
    """Whether a person may rename, share or delete a view: its owner, and leads what is shared."""
    return view.owner_id == user.pk or (view.shared and has_role(user, Role.LEAD))


def save_view(*, user: User, page: str, name: str, query: str, shared: bool = False) -> SavedView:
    """Keep a view under a name; one's own view of that name is replaced. Raises :class:`ViewError`."""
    name = _name(name)
    if page not in SavedPage.values:
        raise ViewError(f"page: one of {', '.join(SavedPage.values)}")
    if len(query) > MAX_QUERY:
        raise ViewError(f"the filter is longer than {MAX_QUERY} characters")
    with transaction.atomic():
        if SavedView.objects.filter(owner=user).exclude(page=page, name=name).count() >= MAX_VIEWS:
            raise ViewError(f"at most {MAX_VIEWS} views; delete one first")
        values = {"query": query, "shared": shared}
        view, _ = SavedView.objects.update_or_create(owner=user, page=page, name=name, defaults=values)
        if shared:
            _record("view.shared", view, user)
    return view


def change_view(*, view_id: int, user: User, name: str, shared: bool) -> SavedView:
    """Rename a view, share it or take it back. Raises ``SavedView.DoesNotExist`` and :class:`ViewError`."""
    name = _name(name)
    try:
        with transaction.atomic():
            view = _changeable(view_id, user)
            was = view.shared
            view.name, view.shared = name, shared
            view.save(update_fields=["name", "shared"])
            if was or shared:
                _record("view.changed", view, user)
    except IntegrityError as error:
        raise ViewError(f"a view called “{name}” exists already") from error
    return view


def delete_view(*, view_id: int, user: User) -> None:
    """Delete a view. Raises ``SavedView.DoesNotExist`` for one that is not there or not theirs to delete."""
    with transaction.atomic():
        view = _changeable(view_id, user)
        if view.shared:
            _record("view.deleted", view, user)
        view.delete()


def _changeable(view_id: int, user: User) -> SavedView:
    view = SavedView.objects.select_for_update().get(pk=view_id)
    if not may_change(view, user):
        raise SavedView.DoesNotExist("not theirs to change")
    return view


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise ViewError(f"a name of 1 to {MAX_NAME} characters")
    if visible(name) != name:
        raise ViewError("the name holds invisible or control characters; type it again")
    return name


def _record(action: str, view: SavedView, user: User) -> None:
    details = {"page": view.page, "name": view.name, "query": view.query, "shared": view.shared}
    audit.record_person(action=action, user=user, details=details)
