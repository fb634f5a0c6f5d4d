"""The form of a channel: where it leads, what is told there, and when.

Handed: POST data. Hands on: ``cleaned_data``, and the wishes as :mod:`alerts.services.channels` takes them.
"""

import datetime as dt
from typing import Any
from zoneinfo import available_timezones

from django import forms

from alerts.models import Channel, ChannelKind, Severity, Topic
from alerts.text import visible

MINUTES_A_DAY = 24 * 60
NO_ALERTS = ("", "No alerts")


def _clock(minute: int | None) -> dt.time | None:
    return None if minute is None else dt.time(minute // 60, minute % 60)


def _minute(clock: dt.time | None) -> int | None:
    return None if clock is None else 60 * clock.hour + clock.minute


class ChannelForm(forms.Form):
    """A channel; ``place`` may be empty when one that exists is changed."""

    name = forms.CharField(max_length=80, strip=True)
    kind = forms.ChoiceField(choices=ChannelKind.choices)
    place = forms.CharField(required=False, max_length=2000, strip=True)
    min_severity = forms.ChoiceField(required=False, choices=[*reversed(Severity.choices), NO_ALERTS])
    topics = forms.MultipleChoiceField(
        required=False, choices=Topic.choices, widget=forms.CheckboxSelectMultiple(attrs={"class": "checks"})
    )
    tell_details = forms.BooleanField(required=False)
    quiet_from = forms.TimeField(required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    quiet_until = forms.TimeField(required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    quiet_zone = forms.CharField(required=False, max_length=64, strip=True)
    critical_at_once = forms.BooleanField(required=False)
    digest_minutes = forms.IntegerField(min_value=0, max_value=MINUTES_A_DAY)
    per_hour = forms.IntegerField(min_value=1, max_value=1000)
    repeat_minutes = forms.IntegerField(min_value=0, max_value=7 * MINUTES_A_DAY)

    def clean_name(self) -> str:
        """Return a name that is what it looks like."""
        name = str(self.cleaned_data["name"])
        if visible(name) != name:
            raise forms.ValidationError("A name of visible characters.")
        return name

    def clean_quiet_zone(self) -> str:
        """Return the name of a time zone, UTC when none is given."""
        zone = str(self.cleaned_data["quiet_zone"]) or "UTC"
        if zone not in available_timezones():
            raise forms.ValidationError("A time zone such as Europe/Berlin, or UTC.")
        return zone

    def clean(self) -> dict[str, Any]:
        """Ask for both ends of quiet hours, or none."""
        found = dict(super().clean() or {})
        if not self.errors and (found["quiet_from"] is None) != (found["quiet_until"] is None):
            self.add_error("quiet_until", "Quiet hours have a beginning and an end.")
        return found

    def wishes(self) -> dict[str, Any]:
        """Return what the channel is to be like."""
        found = {name: value for name, value in self.cleaned_data.items() if name not in {"kind", "place"}}
        return found | {"quiet_from": _minute(found["quiet_from"]), "quiet_until": _minute(found["quiet_until"])}


#: What a new channel is like before anybody changed it.
NEW: dict[str, Any] = {
    "kind": ChannelKind.WEBHOOK,
    "min_severity": Severity.HIGH,
    "topics": [Topic.ESCALATION, Topic.SOURCE, Topic.CANARY, Topic.OPERATION],
    "tell_details": True,
    "quiet_zone": "UTC",
    "critical_at_once": True,
    "digest_minutes": 0,
    "per_hour": 30,
    "repeat_minutes": 60,
}


def filled(channel: Channel) -> ChannelForm:
    """Return the form as a channel is; where it leads is not in it."""
    initial = {name: getattr(channel, name) for name in NEW} | {"name": channel.name}
    initial |= {"quiet_from": _clock(channel.quiet_from), "quiet_until": _clock(channel.quiet_until)}
    return ChannelForm(initial=initial)
