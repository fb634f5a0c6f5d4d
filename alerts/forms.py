"""Forms of the analyst side: what a person may send, checked and cleaned.

Handed: POST data. Hands on: ``cleaned_data`` for the services.
"""

from typing import Any

from django import forms

from alerts.models import Severity, VerdictValue
from alerts.text import visible
from triage import parsers
from triage.models import Source

MEBIBYTE = 2**20


class RevisionForm(forms.Form):
    """Any change of an alert: the revision the person was looking at."""

    expected_revision = forms.IntegerField(min_value=1)


class VerdictForm(RevisionForm):
    """A decision: one value of the taxonomy and an optional note."""

    value = forms.ChoiceField(choices=VerdictValue.choices)
    note = forms.CharField(required=False, max_length=10_000, strip=True)


class EscalateForm(RevisionForm):
    """An escalation with an optional note for whoever takes it, or (``withdraw``) its end."""

    note = forms.CharField(required=False, max_length=10_000, strip=True)
    withdraw = forms.BooleanField(required=False)


class BulkForm(forms.Form):
    """One decision for many: which (numbers with the revisions seen, or a filter with the count seen) and what."""

    do = forms.ChoiceField(choices=[("verdict", "Verdict"), ("assign", "Take or give back"), ("escalate", "Escalate")])
    value = forms.CharField(required=False, max_length=32)
    note = forms.CharField(required=False, max_length=10_000, strip=True)
    alerts = forms.CharField(required=False, max_length=2_400_000, strip=True)
    query = forms.CharField(required=False, max_length=4000, strip=True)
    count = forms.IntegerField(required=False, min_value=0)
    up_to = forms.IntegerField(required=False, min_value=0)

    def clean_alerts(self) -> dict[int, int | None]:
        """Return number -> revision of ``12:3 15:1``; revision 0 is not compared."""
        found: dict[int, int | None] = {}
        for pair in self.cleaned_data["alerts"].split():
            number, _, revision = pair.partition(":")
            if not _is_number(number) or not _is_number(revision or "0"):
                raise forms.ValidationError("Alerts are numbers with the revisions that were seen.")
            found[int(number)] = int(revision or "0") or None
        return found

    def clean(self) -> dict[str, Any]:
        """Ask for a value that fits what is to be done, and for alerts or a count."""
        found = dict(super().clean() or {})
        wanted = {"verdict": VerdictValue.values, "assign": ["me", "nobody"], "escalate": [""]}
        if "do" in found and found.get("value", "") not in wanted[found["do"]]:
            self.add_error("value", "Choose what to decide.")
        if not self.errors and not found["alerts"] and (found["count"] is None or found["up_to"] is None):
            self.add_error("alerts", "Say which alerts, or how many match.")
        return found


class NoteForm(forms.Form):
    """A note for the alert's history."""

    text = forms.CharField(max_length=10_000, strip=True)


class MuteForm(forms.Form):
    """A mute rule: what of the alert it is about, up to which severity, why, for how long, and how much is shown."""

    template = forms.BooleanField(required=False)
    entity = forms.BooleanField(required=False)
    source = forms.BooleanField(required=False)
    max_severity = forms.ChoiceField(choices=Severity.choices)
    reason = forms.CharField(max_length=2000, strip=True)
    days = forms.IntegerField(min_value=1, max_value=90)
    audit_percent = forms.IntegerField(min_value=1, max_value=100)


class SourceForm(forms.Form):
    """A new source: its name, and whether its HEC senders ask for acknowledgements."""

    name = forms.CharField(max_length=80, strip=True)
    use_ack = forms.BooleanField(required=False)

    def clean_name(self) -> str:
        """Refuse a name that is taken or that could be mistaken for another one."""
        name: str = self.cleaned_data["name"]
        if visible(name) != name:
            raise forms.ValidationError("The name holds invisible or control characters; type it again.")
        if Source.objects.filter(name__iexact=name).exists():
            raise forms.ValidationError(f"A source called “{name}” exists already.")
        return name


def _formats() -> list[tuple[str, str]]:
    return [("", "Chosen for every record"), *((name, name) for name in parsers.names())]


class SourceSettingsForm(forms.Form):
    """What a lead may set on a source. Empty limits are no limits."""

    enabled = forms.BooleanField(required=False)
    use_ack = forms.BooleanField(required=False)
    parser = forms.ChoiceField(required=False, choices=_formats)
    records_per_second = forms.IntegerField(required=False, min_value=1, max_value=10_000_000)
    mebibytes_per_day = forms.IntegerField(required=False, min_value=1, max_value=1_000_000_000)

    def settings(self) -> dict[str, Any]:
        """Return the checked values under the names of the source's columns."""
        mebibytes = self.cleaned_data["mebibytes_per_day"]
        return {
            "enabled": self.cleaned_data["enabled"],
            "use_ack": self.cleaned_data["use_ack"],
            "parser": self.cleaned_data["parser"],
            "records_per_second": self.cleaned_data["records_per_second"],
            "bytes_per_day": None if mebibytes is None else mebibytes * MEBIBYTE,
        }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def first_error(form: forms.Form) -> str:
    """Return the first thing wrong with a form, in words."""
    errors: dict[str, Any] = dict(form.errors)
    field, messages = next(iter(errors.items()))
    return f"{field}: {messages[0]}"


def _number(label: str, *, maximum: float, step: str = "any") -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": step, "inputmode": "decimal"})
    return forms.FloatField(label=label, required=False, min_value=0.01, max_value=maximum, widget=widget)


class BudgetForm(forms.Form):
    """What may be spent a day; empty = no limit of this sort."""

    alerts_per_day = _number("Alerts a day", maximum=1e6)
    hours_per_day = _number("Analysts\u2019 hours a day", maximum=10_000)
    usd_per_day = _number("USD a day for explanations", maximum=1e6)
    minutes_per_alert = _number("Minutes an alert, if not as usual", maximum=10_000)
    usd_per_alert = _number("USD an explanation", maximum=1_000)

    def clean(self) -> dict[str, Any]:
        """Ask for at least one limit, and for what it needs."""
        found = dict(super().clean() or {})
        if found.get("usd_per_day") and not found.get("usd_per_alert"):
            raise forms.ValidationError("Say what an explanation costs, or leave the USD a day empty.")
        if not any(found.get(name) for name in ("alerts_per_day", "hours_per_day", "usd_per_day")) and not self.errors:
            raise forms.ValidationError("Say what may be spent: alerts, hours or USD a day.")
        return found
