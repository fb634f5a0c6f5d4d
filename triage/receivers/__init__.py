"""The room where bodies become records: one plug-in per protocol, found by name.

Handed: the name of a receiver (it is stored with every batch). Hands on: the receiver itself, shaped as in
:mod:`triage.receivers.base`. Plug-ins from other packages join through the entry-point group.
"""

from functools import cache

from triage.plugins import PluginError, load_table
from triage.receivers.base import Receiver

GROUP = "winnow.receivers"

TABLE: dict[str, str] = {
    "hec_event": "triage.receivers.hec_event:RECEIVER",
    "hec_batch": "triage.receivers.hec_batch:RECEIVER",
    "hec_raw": "triage.receivers.hec_raw:RECEIVER",
    "json": "triage.receivers.json_values:RECEIVER",
    "ndjson": "triage.receivers.ndjson:RECEIVER",
    "lines": "triage.receivers.lines:RECEIVER",
    "firehose": "triage.receivers.firehose:RECEIVER",
    "pubsub": "triage.receivers.pubsub:RECEIVER",
    "azure": "triage.receivers.azure:RECEIVER",
    "es_bulk": "triage.receivers.es_bulk:RECEIVER",
    "syslog": "triage.receivers.syslog:RECEIVER",
    "otlp_json": "triage.receivers.otlp_json:RECEIVER",
    "otlp_proto": "triage.receivers.otlp_proto:RECEIVER",
    "loki_json": "triage.receivers.loki_json:RECEIVER",
    "loki_proto": "triage.receivers.loki_proto:RECEIVER",
}


@cache
def receivers() -> dict[str, Receiver]:
    """Return every receiver by name, built-in ones first."""
    return load_table(TABLE, GROUP)


def get(name: str) -> Receiver:
    """Return one receiver; raise :class:`~triage.plugins.PluginError` when nobody knows it."""
    try:
        return receivers()[name]
    except KeyError as error:
        raise PluginError(f"no receiver is called {name!r}") from error
