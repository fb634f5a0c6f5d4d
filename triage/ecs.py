"""The Elastic Common Schema names that Winnow gives a meaning of its own.

Handed: nothing. Hands on: field-name constants, the columns an event row has beside its document, and
the order in which fields name the entity of an event. Field names: Elastic Common Schema 8.17 reference.
"""

#: ECS field -> column of the event table (same name, dots as underscores).
COLUMNS: dict[str, str] = {
    "event.category": "event_category",
    "event.action": "event_action",
    "event.outcome": "event_outcome",
    "event.code": "event_code",
    "log.level": "log_level",
    "host.name": "host_name",
    "user.name": "user_name",
    "source.ip": "source_ip",
    "destination.ip": "destination_ip",
    "process.name": "process_name",
}

#: Which field names the entity of an event, first one present wins: (ECS field, entity kind).
ENTITY_FIELDS: tuple[tuple[str, str], ...] = (
    ("user.name", "user"),
    ("host.name", "host"),
    ("source.ip", "address"),
    ("process.name", "process"),
)

#: Fields whose text an attacker chooses. Shown marked, capped before a model sees them.
ATTACKER_WRITTEN = frozenset(
    {
        "message",
        "user_agent.original",
        "url.original",
        "url.path",
        "url.query",
        "user.name",
        "process.command_line",
        "process.args",
        "dns.question.name",
        "email.subject",
        "http.request.referrer",
        "http.request.body.content",
        "file.path",
        "powershell.file.script_block_text",
    }
)

SEVERITIES = ("info", "low", "medium", "high", "critical")


def entity(fields: dict[str, object]) -> str:
    """Return ``kind:value`` of the entity an event is about, or an empty string.

    >>> entity({"host.name": "web-1", "source.ip": "192.0.2.7"})
    'host:web-1'
    """
    for name, kind in ENTITY_FIELDS:
        value = fields.get(name)
        if value:
            return f"{kind}:{value}"[:200]
    return ""
