"""Saved views: listed with live counts, kept, renamed, shared, deleted.

Handed: a page's name and a filter. Hands on: the list as a fragment of that page's menu, or a page of its own.
"""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from alerts.models import SavedPage, SavedView
from alerts.permissions import has_role, person, role_required
from alerts.selectors.queue_filter import FilterError, QueueFilter
from alerts.selectors.saved_views import views_of
from alerts.services import saved_views
from alerts.views.common import is_fragment, page
from triage.models import Role


def _page(name: str) -> str:
    if name not in SavedPage.values:
        raise Http404("no such page")
    return name


@role_required(Role.VIEWER)
@require_safe
def view_list(request: HttpRequest) -> HttpResponse:
    """List the views of ``?page=``; ``query`` is the filter that could be saved."""
    name = _page(request.GET.get("page", SavedPage.QUEUE))
    context = {
        "views": views_of(person(request), name),
        "saved_page": name,
        "address": reverse(name),
        "current": request.GET.get("query", "")[: saved_views.MAX_QUERY],
        "may_share": has_role(request.user, Role.ANALYST),
    }
    template = "alerts/_saved_views.html" if is_fragment(request) else "alerts/saved_views.html"
    return page(request, template, context, active=name)


@role_required(Role.VIEWER)
@require_POST
def view_save(request: HttpRequest) -> HttpResponseBase:
    """Keep the posted filter under a name."""
    name = _page(request.POST.get("page", ""))
    shared = request.POST.get("shared") == "1" and has_role(request.user, Role.ANALYST)
    try:
        query = _canonical(name, request.POST.get("query", ""))
        view = saved_views.save_view(
            user=person(request), page=name, name=request.POST.get("name", ""), query=query, shared=shared
        )
    except (saved_views.ViewError, FilterError) as error:
        messages.error(request, f"The view was not saved: {error}.")
        return redirect(f"{reverse('saved_views')}?{urlencode({'page': name})}")
    messages.success(request, f"Saved as “{view.name}”.")
    return redirect(f"{reverse(name)}?{view.query}")


def _canonical(name: str, query: str) -> str:
    """Return a queue's filter in its canonical form; other pages' queries as they are."""
    query = query[: saved_views.MAX_QUERY].lstrip("?")
    return QueueFilter.read(QueryDict(query)).query() if name == SavedPage.QUEUE else query


@role_required(Role.VIEWER)
@require_POST
def view_change(request: HttpRequest, view_id: int) -> HttpResponseBase:
    """Rename, share or take back (``do=change``) or delete (``do=delete``) a view."""
    user = person(request)
    shared = request.POST.get("shared") == "1" and has_role(user, Role.ANALYST)
    try:
        if request.POST.get("do") == "delete":
            saved_views.delete_view(view_id=view_id, user=user)
            messages.success(request, "The view is deleted.")
        else:
            view = saved_views.change_view(view_id=view_id, user=user, name=request.POST.get("name", ""), shared=shared)
            messages.success(request, f"“{view.name}” is changed.")
    except SavedView.DoesNotExist as error:
        raise Http404("no such view") from error
    except saved_views.ViewError as error:
        messages.error(request, f"Nothing was changed: {error}.")
    return redirect(f"{reverse('saved_views')}?{urlencode({'page': _page(request.POST.get('page', SavedPage.QUEUE))})}")
