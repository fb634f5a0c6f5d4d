"""Sources: who sends, how much of it is understood, what is in quarantine; make one, replay a batch.

Handed: a request. Hands on: HTML. A new source's token is shown in the answer to its creation and never again.
"""

import uuid

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from alerts.forms import MEBIBYTE, SourceForm, SourceSettingsForm, first_error
from alerts.permissions import person, role_required
from alerts.selectors import estate
from alerts.services import sources as source_services
from alerts.views.common import page
from triage import store
from triage.models import Role, Source

#: Stands in the snippets where the token goes.
TOKEN_PLACEHOLDER = "YOUR_TOKEN"  # noqa: S105 - a placeholder


def _list(request: HttpRequest, *, status: int = 200, problem: str = "") -> HttpResponse:
    """Render the page; after a problem the form holds what was typed."""
    context = {
        "sources": estate.sources(),
        "quarantined": estate.quarantined(),
        "problem": problem,
        "name": request.POST.get("name", "")[:80],
        "use_ack": "use_ack" in request.POST,
    }
    return page(request, "alerts/sources.html", context, active="sources", status=status)


@role_required(Role.VIEWER)
@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    """Show every source and the quarantine."""
    return _list(request)


def _detail(
    request: HttpRequest, source_id: int, token: str = "", *, form: SourceSettingsForm | None = None
) -> HttpResponse:
    try:
        row = estate.source_row(source_id)
    except Source.DoesNotExist as error:
        raise Http404("no such source") from error
    context = {
        "row": row,
        "token": token,
        "snippet_token": token or TOKEN_PLACEHOLDER,
        "scheme": request.scheme,
        "host": request.get_host(),
        "hostname": request.get_host().rsplit(":", 1)[0] if ":" in request.get_host() else request.get_host(),
        "port": request.get_port(),
        "channel": str(uuid.uuid4()) if row.source.use_ack else "",
        "quarantined": estate.quarantined(source_id),
        "form": form or _settings_form(row.source),
        "problem": first_error(form) if form is not None else "",
    }
    status = 201 if token else 200 if form is None else 422
    return page(request, "alerts/source.html", context, active="sources", status=status)


def _settings_form(source: Source) -> SourceSettingsForm:
    size = source.bytes_per_day
    return SourceSettingsForm(
        initial={
            "enabled": source.enabled,
            "use_ack": source.use_ack,
            "parser": source.parser,
            "records_per_second": source.records_per_second,
            "mebibytes_per_day": None if size is None else max(1, size // MEBIBYTE),
        }
    )


@role_required(Role.LEAD)
@require_POST
def source_change(request: HttpRequest, source_id: int) -> HttpResponseBase:
    """Change a source's format, limits, acknowledgement, or whether it may send at all."""
    form = SourceSettingsForm(request.POST)
    if not form.is_valid():
        return _detail(request, source_id, form=form)
    try:
        changes = source_services.change_source(source_id=source_id, user=person(request), **form.settings())
    except Source.DoesNotExist as error:
        raise Http404("no such source") from error
    if changes:
        messages.success(request, "Saved. The intake follows within a few seconds.")
    else:
        messages.info(request, "Nothing was changed.")
    return redirect("source", source_id)


@role_required(Role.VIEWER)
@require_safe
def source_detail(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show one source with its forwarder snippets."""
    return _detail(request, source_id)


@role_required(Role.VIEWER)
@require_safe
def source_received(request: HttpRequest, source_id: int) -> HttpResponse:
    """Return the fragment that says whether the first event has come."""
    try:
        row = estate.source_row(source_id)
    except Source.DoesNotExist as error:
        raise Http404("no such source") from error
    return render(request, "alerts/_received.html", {"row": row})


@role_required(Role.LEAD)
@require_POST
def source_create(request: HttpRequest) -> HttpResponse:
    """Create a source and show its token, once."""
    form = SourceForm(request.POST)
    if not form.is_valid():
        return _list(request, status=422, problem=first_error(form))
    try:
        source, token = source_services.create_source(
            name=form.cleaned_data["name"], use_ack=form.cleaned_data["use_ack"], user=person(request)
        )
    except IntegrityError:
        return _list(request, status=409, problem="A source of that name was created just now.")
    return _detail(request, source.pk, token)


@role_required(Role.LEAD)
@require_POST
def batch_replay(request: HttpRequest, batch_id: int) -> HttpResponseBase:
    """Send a quarantined batch through the pipeline again."""
    if store.requeue(batch_id):
        source_services.note_replay(batch_id=batch_id, user=person(request))
        messages.success(request, f"Batch {batch_id} is on its way through the pipeline again.")
    else:
        messages.warning(request, f"Batch {batch_id} is not in quarantine any more; nothing was changed.")
    return redirect("sources")
