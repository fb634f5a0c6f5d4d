"""What a field's value in a page leads to: its menu.

Handed: a field's name, one value of it, and the query of the page it is shown on. Hands on: the address of the menu,
which is a page of its own for whoever runs no scripts. ``_value.html`` is the part that pages include.
"""

from urllib.parse import urlencode

from django import template
from django.urls import reverse

register = template.Library()

#: A longer value gets no menu: nobody searches for it whole, and addresses have an end.
MAX_VALUE = 512
MAX_FIELD = 128


@register.simple_tag
def value_address(field: object, value: object, query: object = "") -> str:
    """Return where a value's menu is; empty for what has none: no field, no value, or one that is too long.

    Truths are written as the search writes them. ``query`` is what the page is about already, for "include".
    """
    name = str(field or "")
    text = ("true" if value else "false") if isinstance(value, bool) else str("" if value is None else value)
    if not name or not text or len(name) > MAX_FIELD or len(text) > MAX_VALUE or not _is_sound(name + text):
        return ""
    asked = {"field": name, "value": text} | ({"q": str(query)} if query else {})
    return f"{reverse('event_values')}?{urlencode(asked)}"


def _is_sound(text: str) -> bool:
    """Whether a text can be sent: lone surrogates cannot, and no stored value holds a NUL."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
