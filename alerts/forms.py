"""Forms of the analyst side: what a person may send, checked and cleaned.

Handed: POST data. Hands on: ``cleaned_data`` for the services.
"""

from typing import Any

from django import forms

from alerts.models import VerdictValue
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


class NoteForm(forms.Form):
    """A note for the alert's history."""

    text = forms.CharField(max_length=10_000, strip=True)


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


def first_error(form: forms.Form) -> str:
    """Return the first thing wrong with a form, in words."""
    errors: dict[str, Any] = dict(form.errors)
    field, messages = next(iter(errors.items()))
    return f"{field}: {messages[0]}"
