"""Notification channels: list and make them, change, test, pause and end one, see what became of its messages.

Handed: a request of an administrator. Hands on: HTML. The key of a webhook stands on the one page that answers its
making, and nowhere else; where a webhook leads is never shown again.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from alerts.channel_forms import NEW, ChannelForm, filled
from alerts.forms import first_error
from alerts.models import Channel, Delivery, DeliveryState
from alerts.permissions import person, role_required
from alerts.selectors import channels as selected
from alerts.services import channels, outbox
from alerts.services.channels import ChannelError
from alerts.services.outbox import NoDeliveryError
from alerts.views.common import page
from triage.models import Role


def _list(
    request: HttpRequest, *, form: ChannelForm | None = None, problem: str = "", status: int = 200
) -> HttpResponse:
    rows = selected.channel_rows()
    context = {
        "rows": rows,
        "form": form or ChannelForm(initial=NEW),
        "problem": problem,
        "open_form": not rows or form is not None,
    }
    return page(request, "alerts/channels.html", context, active="settings", status=status)


def _detail(
    request: HttpRequest,
    channel_id: int,
    *,
    form: ChannelForm | None = None,
    problem: str = "",
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    row = next(iter(selected.channel_rows(channel_id)), None)
    if row is None:
        raise Http404("no such channel")
    context = {
        "row": row,
        "form": form or filled(row.channel),
        "problem": problem,
        "secret": secret,
        "history": selected.history(channel_id),
        "dead": selected.history(channel_id, dead=True),
    }
    return page(request, "alerts/channel.html", context, active="settings", status=status)


@role_required(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def channel_list(request: HttpRequest) -> HttpResponseBase:
    """List channels (GET); make one (POST)."""
    if request.method != "POST":
        return _list(request)
    form = ChannelForm(request.POST)
    if not form.is_valid():
        return _list(request, form=form, problem=first_error(form), status=422)
    try:
        channel, secret = channels.create_channel(
            by=person(request),
            kind=form.cleaned_data["kind"],
            place=form.cleaned_data["place"],
            wishes=form.wishes(),
        )
    except ChannelError as error:
        return _list(request, form=form, problem=str(error), status=422)
    return _detail(request, channel.pk, secret=secret, status=201)


@role_required(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def channel_detail(request: HttpRequest, channel_id: int) -> HttpResponseBase:
    """Show a channel (GET); change it (POST)."""
    if request.method != "POST":
        return _detail(request, channel_id)
    form = ChannelForm(request.POST)
    if not form.is_valid():
        return _detail(request, channel_id, form=form, problem=first_error(form), status=422)
    try:
        channels.change_channel(
            by=person(request), channel_id=channel_id, place=form.cleaned_data["place"], wishes=form.wishes()
        )
    except Channel.DoesNotExist as error:
        raise Http404("no such channel") from error
    except ChannelError as error:
        return _detail(request, channel_id, form=form, problem=str(error), status=422)
    messages.success(request, "Saved.")
    return redirect("channel", channel_id)


@role_required(Role.ADMIN)
@require_POST
def channel_act(request: HttpRequest, channel_id: int) -> HttpResponseBase:
    """Test a channel, pause it or let it go on, give a webhook a new key, or end it: ``do``."""
    by, wanted = person(request), request.POST.get("do", "")
    try:
        if wanted == "test":
            _say(request, outbox.send_test(by=by, channel_id=channel_id))
        elif wanted in {"pause", "resume"}:
            channels.pause(by=by, channel_id=channel_id, paused=wanted == "pause")
        elif wanted == "secret":
            return _detail(request, channel_id, secret=channels.new_secret(by=by, channel_id=channel_id))
        elif wanted == "end":
            channel = channels.end(by=by, channel_id=channel_id)
            messages.success(request, f"{channel.name} is ended; nothing is sent there any more.")
            return redirect("channels")
        else:
            return _detail(request, channel_id, problem="there is no such action", status=422)
    except Channel.DoesNotExist as error:
        raise Http404("no such channel") from error
    except ChannelError as error:
        return _detail(request, channel_id, problem=str(error), status=422)
    return redirect("channel", channel_id)


def _say(request: HttpRequest, delivery: Delivery) -> None:
    """Say what came of a test."""
    if delivery.state == DeliveryState.SENT:
        messages.success(request, f"The test was taken: {delivery.answered} in {delivery.took_ms} ms.")
    else:
        messages.warning(request, f"The test was not sent: {delivery.error or 'it is on its way'}.")


@role_required(Role.ADMIN)
@require_POST
def delivery_again(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    """Put a message that was given up back into the outbox."""
    try:
        delivery = outbox.send_again(by=person(request), delivery_id=delivery_id)
    except NoDeliveryError as error:
        messages.warning(request, f"Nothing was changed: {error}.")
        return redirect("channels")
    messages.success(request, "It is in the outbox again and goes out within seconds.")
    return redirect("channel", delivery.channel_id)
