"""Mute rules: the form with its preview, the list, the end of a rule.

Handed: an alert and what of it the rule is about. Hands on: pages; the form and its preview are fragments too. A look
stores nothing.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.forms import MuteForm, first_error
from alerts.models import Alert, AlertStatus, MuteRule, Severity
from alerts.permissions import has_role, person, role_required
from alerts.selectors import mutes
from alerts.selectors.alert import is_blind
from alerts.services import muting
from alerts.services.muting import MuteError, Scope
from alerts.views.common import frame, is_fragment, page
from triage.models import Role, User


@role_required(Role.VIEWER)
@require_safe
def mute_list(request: HttpRequest) -> HttpResponse:
    """List the rules: in force, then over."""
    rows = mutes.rules()
    context = {
        "active": [row for row in rows if row.active],
        "over": [row for row in rows if not row.active],
        "user_id": person(request).pk,
    }
    return page(request, "alerts/mutes.html", {"rows": context}, active="mutes")


def _alert(text: str) -> Alert:
    """Return the alert a rule is made from; a blind audit cannot be muted."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
    alert = get_object_or_404(Alert.objects.select_related("source"), pk=number)
    if is_blind(alert):
        raise Http404("a blind audit cannot be muted")
    return alert


def _scope(alert: Alert, form: MuteForm) -> Scope:
    data = form.cleaned_data
    parts = {name: data[name] for name in ("template", "entity", "source", "max_severity")}
    return Scope.of(alert, **parts)


def _previewed(alert: Alert, form: MuteForm, user: User) -> dict[str, Any]:
    """Return the preview of a form, or what is missing for one."""
    form.is_valid()
    data = form.cleaned_data if hasattr(form, "cleaned_data") else {}
    if not {"template", "entity", "source", "max_severity"} <= set(data):
        return {"why_not": "Choose a severity."}
    scope = _scope(alert, form)
    if not scope.template and not scope.entity:
        return {"why_not": "Choose this kind of alert, this entity, or both."}
    fits = scope.condition()
    stays = muting.why_it_stays(alert, scope, user)
    return {"preview": mutes.preview(fits, fits & muting.hideable(user, alert.pk)), "stays": stays}


@role_required(Role.ANALYST)
@require_safe
def mute_preview(request: HttpRequest) -> HttpResponse:
    """Show what a rule would have hidden."""
    alert = _alert(request.GET.get("alert", ""))
    return render(request, "alerts/_mute_preview.html", _previewed(alert, MuteForm(request.GET), person(request)))


@role_required(Role.ANALYST)
@require_http_methods(["GET", "HEAD", "POST"])
def mute_new(request: HttpRequest) -> HttpResponseBase:
    """Show the form for a rule from ``?alert=`` (GET), make the rule (POST)."""
    sent = request.POST if request.method == "POST" else request.GET
    alert = _alert(sent.get("alert", ""))
    if request.method != "POST":
        return _form(request, alert, MuteForm(_usual(alert, person(request))))
    form = MuteForm(request.POST)
    if not form.is_valid():
        return _form(request, alert, form, problem=first_error(form), status=422)
    data = form.cleaned_data
    try:
        rule = muting.mute(
            alert_id=alert.pk, user=person(request), scope=_scope(alert, form), reason=data["reason"],
            days=data["days"], audit_share=data["audit_percent"] / 100,
        )  # fmt: skip
    except MuteError as error:
        return _form(request, alert, form, problem=str(error), status=422)
    messages.success(request, _done(rule, alert, person(request)))
    return redirect("mutes")


def _done(rule: MuteRule, alert: Alert, user: User) -> str:
    """Return what a rule did at once, and why the alert it was made from is still there if it is."""
    rule.refresh_from_db()
    alert.refresh_from_db()
    shown = f", {rule.shown_count} kept open for audit" if rule.shown_count else ""
    why = "it is the rule’s audit sample" if alert.mute_rule_id == rule.pk else ""
    why = why or muting.why_it_stays(alert, Scope.of_rule(rule), user)
    stays = f" This one stays: {why}." if alert.status == AlertStatus.OPEN and why else ""
    return f"Muted: {rule.hidden_count} hidden now{shown}.{stays}"


def _usual(alert: Alert, user: User) -> dict[str, Any]:
    """Return what the form starts with: this kind of alert about this entity, for a week."""
    return {
        "template": bool(alert.template), "entity": bool(alert.entity), "source": False,
        "max_severity": alert.severity if alert.severity in muting.may_mute(user) else muting.MOST_FOR_ANALYSTS,
        "days": 7, "audit_percent": 5, "reason": "",
    }  # fmt: skip


def _form(
    request: HttpRequest, alert: Alert, form: MuteForm, *, problem: str = "", status: int = 200
) -> HttpResponseBase:
    form.is_valid()
    allowed = muting.may_mute(person(request))
    context = {
        "alert": alert,
        "form": form,
        "values": form.data,
        "problem": problem,
        "levels": [(value, label, value in allowed) for value, label in Severity.choices],
        "may_mute_any": has_role(request.user, Role.LEAD),
        "back": f"{reverse('queue')}?alert={alert.pk}",
        **_previewed(alert, form, person(request)),
    }
    if is_fragment(request):
        response = render(request, "alerts/_mute_form.html", frame(request, "queue") | context, status=status)
        response["Cache-Control"] = "no-store"
        return response
    return page(request, "alerts/mute.html", context, active="mutes", status=status)


@role_required(Role.ANALYST)
@require_POST
def mute_end(request: HttpRequest, rule_id: int) -> HttpResponseBase:
    """End a rule; ``bring_back=1`` opens what it hides."""
    bring_back = request.POST.get("bring_back") == "1"
    try:
        count = muting.end(rule_id=rule_id, user=person(request), bring_back=bring_back)
    except MuteRule.DoesNotExist as error:
        raise Http404("no such rule") from error
    except MuteError as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        back = f"{count} alert{'' if count == 1 else 's'} came back" if bring_back else "what it hid stays hidden"
        messages.success(request, f"The rule is over; {back}.")
    return redirect("mutes")
