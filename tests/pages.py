"""Every address of the product, made from the URL conf.

Handed: the rows of an estate, as a value for each argument a path may have. Hands on: addresses, and which of them are
whole pages. An argument without a sample is an error, so that a new path is in every sweep as soon as it exists.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, reverse

import alerts.urls
import triage.views.urls

#: Query strings a path is asked with beside none; ``{name}`` stands for a sample. A page that needs one is named here.
QUERIES: dict[str, tuple[str, ...]] = {
    "queue": ("", "?alert={alert_id}", "?status=closed", "?q=logged+in", "?group=none", "?q=%22nothing%20of%20this%22"),
    "queue_rows": ("?after=0",),
    "queue_values": ("?facet=entity", "?facet=technique&find=t1"),
    "alert": ("", "?explanation=1"),
    "events": ("", "?q=user.name:{entity_name}", "?q=%28broken", "?group=user.name", "?q=nothing+of+this"),
    "event_rows": ("?q=user.name:{entity_name}",),
    "event_histogram": ("", "?q=user.name:{entity_name}"),
    "event_values": ("?field=user.name&value={entity_name}",),
    "event_export": ("?q=user.name:{entity_name}&format=csv",),
    "entities": ("", "?kind=user&q={entity_name}", "?q=nothing+of+this"),
    "entity": ("?name={entity_name}", "?name=nobody+of+this+name"),
    "entity_activity": ("?name={entity_name}",),
    "mute_new": ("?alert={alert_id}",),
    "mute_preview": ("?alert={alert_id}",),
    "bulk_confirm": ("?bulk_do=verdict&bulk_value=benign_tp&bulk_selected={alert_id}",),
    "overview": ("", "?range=7d", "?range=30d&part=work&part=techniques"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """One address: the path's name in the URL conf, and where it leads."""

    name: str
    url: str


def patterns() -> list[URLPattern]:
    """Return every path of people and of the API. The intake is routed before Django."""
    return [*alerts.urls.urlpatterns, *triage.views.urls.urlpatterns]


def named(name: str) -> URLPattern:
    """Return the path of a name."""
    return next(pattern for pattern in patterns() if pattern.name == name)


def role_of(pattern: URLPattern) -> str | None:
    """Return the lowest role a path says it lets in, ``None`` when it says none."""
    role: str | None = getattr(pattern.callback, "required_role", None)
    return role


def address(pattern: URLPattern, samples: Mapping[str, Any]) -> str:
    """Return a path with a sample for each of its arguments. Raises ``LookupError`` for one nobody gave."""
    missing = set(pattern.pattern.converters) - set(samples)
    if missing:
        raise LookupError(f"{pattern.name}: give the sample estate a value for {', '.join(sorted(missing))}")
    return reverse(str(pattern.name), kwargs={key: samples[key] for key in pattern.pattern.converters})


def addresses(samples: Mapping[str, Any]) -> Iterator[Address]:
    """Yield every path of the URL conf with its query strings."""
    for pattern in patterns():
        for query in QUERIES.get(str(pattern.name), ("",)):
            yield Address(str(pattern.name), address(pattern, samples) + query.format_map(samples))


def answers(client: Client, samples: Mapping[str, Any], wanted: Callable[[Any], bool]) -> Iterator[Address]:
    """Yield the addresses whose answer to GET is as wanted; the client decides who asks."""
    for one in addresses(samples):
        response = client.get(one.url)
        if wanted(response):
            yield one


def is_page(response: Any) -> bool:
    """Whether an answer is a whole HTML page, not a fragment, a file or a redirect."""
    html = response.headers.get("Content-Type", "").startswith("text/html")
    return response.status_code == 200 and html and not response.streaming and b"<html" in response.content[:2000]


def is_read(response: Any) -> bool:
    """Whether an answer gives something to read: a page, a fragment, JSON or a file."""
    return bool(response.status_code == 200)


def whole_pages(client: Client, samples: Mapping[str, Any]) -> list[Address]:
    """Return the addresses of all whole pages that a logged-in client may open."""
    return list(answers(client, samples, is_page))
