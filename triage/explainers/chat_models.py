"""The models an endpoint offers, and until when.

Handed: an endpoint. Hands on: whether the configured model is on its list and the day it will be shut down, where
the endpoint says so (``shutdown_date``, or ``deprecation`` and its relatives elsewhere). Nothing about an alert is
sent.
"""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from triage.explainers import chat_failures, chat_transport, endpoints, lines
from triage.explainers.base import ExplanationError

DENIED = "denied"
#: Where endpoints write the last day of a model.
_DATE_FIELDS = ("shutdown_date", "deprecation_date", "deprecation", "retirement_date", "expiration_date")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What an endpoint says about a model: ``listed`` is None when it has no list; ``note`` says why.

    ``reachable`` when anything answered at all, ``is_denied`` when it did not let us in.
    """

    model: str
    listed: bool | None
    shutdown_date: dt.date | None = None
    note: str = ""
    reachable: bool = True
    is_denied: bool = False

    def days_left(self, today: dt.date) -> int | None:
        """Return the days until the shutdown, negative after it; None when none is announced."""
        return None if self.shutdown_date is None else (self.shutdown_date - today).days


def look_up(*, base_url: str, api_key: str, model: str, timeout: float) -> ModelStatus:
    """Return what the endpoint's list says about the model; never raises for what the endpoint does."""
    if not endpoints.host(base_url):
        note = "the address of the language model is not an http(s) URL"
        return ModelStatus(model, None, note=note, reachable=False)
    try:
        rows = _rows(base_url, api_key, timeout)
    except httpx2.HTTPError as error:
        return ModelStatus(model, None, note=f"unreachable: {type(error).__name__}", reachable=False)
    except ExplanationError as error:
        return ModelStatus(model, None, note=str(error), is_denied=error.code == DENIED)
    found = [row for row in rows if isinstance(row, dict) and _is_named(row, model)]
    if not found:
        return ModelStatus(model, False, note=f"not among the {len(rows)} models that the endpoint lists")
    return ModelStatus(model, True, _last_day(found[0]))


def _rows(base_url: str, api_key: str, timeout: float) -> list[Any]:
    inside = endpoints.is_internal(base_url)
    client, _ = chat_transport.client(
        base_url=base_url, seconds=timeout, deadline=time.monotonic() + timeout, inside=inside
    )
    with client:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        response = client.get(f"{base_url.rstrip('/')}/models", headers=headers)
    if response.status_code != 200:
        code = DENIED if response.status_code in {401, 403} else ""
        raise ExplanationError("invalid", f"the list of models answers with status {response.status_code}", code=code)
    rows = chat_failures.json_object(response.content.decode("utf-8", "replace")).get("data")
    if not isinstance(rows, list):
        raise ExplanationError("invalid", "the endpoint's list of models has no rows")
    return rows


def _is_named(row: dict[str, Any], model: str) -> bool:
    aliases = row.get("aliases")
    return row.get("id") == model or (isinstance(aliases, list) and model in aliases)


def _last_day(row: dict[str, Any]) -> dt.date | None:
    for name in _DATE_FIELDS:
        value = row.get(name)
        try:
            if isinstance(value, str):
                return dt.date.fromisoformat(lines.plain(value, 40)[:10])
        except ValueError:
            continue
    return None
