"""Template tag of the alert's page: where a field of an event is shown.

Handed: an event's id, a field's name, and which event's fields are in the page. Hands on: an address; the anchor is the
same that the field's line in the tree has.
"""

from django import template
from django.urls import reverse

from alerts.selectors.fields import anchor

register = template.Library()


@register.simple_tag
def field_link(event_id: int, name: str, here: object = None) -> str:
    """Return the anchor of a field; of an event that is not in the page, the address of its record too."""
    target = f"#{anchor(event_id, name)}"
    return target if here == event_id else reverse("event_raw", kwargs={"event_id": event_id}) + target
