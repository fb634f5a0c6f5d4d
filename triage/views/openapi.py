"""``/api/v1/openapi.json``: the API described for programs, OpenAPI 3.1.

Handed: nothing. Hands on: one fixed document. The alerts' paths are served by the analyst side; a test keeps
this document and the URL table together.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
EXPORTS = ["json", "thehive", "iris", "stix"]
VERDICTS = ["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate", "undetermined"]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, text: str, schema: Schema = STRING) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _reply(schema: Schema, text: str = "Success") -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _operation(summary: str, schema: Schema, *parameters: Schema, body: Schema | None = None) -> Schema:
    """Return one operation with the errors that every operation has."""
    errors = {"400": "Bad parameter", "401": "No or unknown token", "403": "Not allowed", "404": "Not found"}
    operation: Schema = {
        "summary": summary,
        "responses": {"200": _reply(schema)} | {code: _reply(_ref("Error"), text) for code, text in errors.items()},
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        operation["responses"]["409"] = _reply(_ref("Error"), "The alert has changed since that revision")
    return operation


ALERT_ID: Schema = {"name": "alert_id", "in": "path", "required": True, "schema": INTEGER}
LIMIT = _query("limit", "Most entries of a page.", INTEGER)

EVENT = _object(
    id=INTEGER,
    timestamp={"type": "string", "format": "date-time"},
    timestamp_origin={"type": "string", "enum": ["event", "envelope", "received"]},
    received_at={"type": "string", "format": "date-time"},
    host=STRING,
    feed={"type": "string", "description": "Name of the source whose token the event came with."},
    source={"type": "string", "description": "What the sender called its source, else the feed."},
    sourcetype=STRING,
    severity=STRING,
    message=STRING,
    score=NUMBER_OR_NULL,
    p_value=NUMBER_OR_NULL,
    flagged={"type": "boolean"},
    reasons=_list({"type": "object"}),
    parser=STRING,
    entity=STRING,
    fields={"type": "object", "description": "The flat ECS document."},
)
ALERT = _object(
    id=INTEGER,
    status=STRING,
    origin=STRING,
    severity={"type": ["string", "null"]},
    title=STRING,
    entity=STRING,
    source=_object(id=INTEGER, name=STRING),
    score=NUMBER_OR_NULL,
    p_value=NUMBER_OR_NULL,
    worth={"type": ["number", "null"], "description": "P(worth an analyst's time), from verdicts; null = not ranked."},
    techniques=_list(STRING),
    event_count=INTEGER,
    revision=INTEGER,
)
ERROR = _object(error=_object(code=STRING, message=STRING))
STATS = _object(
    **dict.fromkeys(("accepted", "events", "flagged", "quarantined", "alerts", "explained", "pending"), INTEGER)
)
VERDICT = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": {"type": "string", "enum": VERDICTS}, "note": STRING, "revision": INTEGER},
}
#: What narrows a list of alerts, as a query string and as the filter of a bulk decision.
ALERT_FILTER: dict[str, tuple[str, Schema]] = {
    "status": ("open, muted, closed or all; open when it is not given.", STRING),
    "severity": ("info, low, medium, high or critical.", STRING),
    "source": ("The source's number.", INTEGER),
    "entity": ("The entity, as in an alert.", STRING),
    "technique": ("An ATT&CK technique, such as T1110.", STRING),
    "assignee": ("A person's number, me, or nobody.", STRING),
    "version": ("The number of the model version that scored it.", INTEGER),
    "explanation": ("pending, running, done or failed.", STRING),
    "mark": ("escalated, suspected, sample or blind.", STRING),
    "template": ("The kind of alert: its fingerprint without the entity.", STRING),
    "q": ("Text to look for.", STRING),
}
BULK = {
    "type": "object",
    "description": "Which alerts (ids, or filter) and the verdict for all of them.",
    "properties": {
        "ids": _list(INTEGER),
        "filter": _object(**{name: schema | {"description": text} for name, (text, schema) in ALERT_FILTER.items()}),
        "expected_count": INTEGER | {"description": "Refused with 409 when more match, or less than half as many."},
        "up_to": INTEGER | {"description": "Leave alone what has a higher number than this alert."},
        "dry_run": {"type": "boolean", "description": "Only count what matches; nothing is changed."},
        "value": {"type": "string", "enum": VERDICTS},
        "note": STRING,
    },
    "oneOf": [{"required": ["ids", "value"]}, {"required": ["filter"]}],
}
ACCEPTED = _object(accepted=INTEGER, rejected=INTEGER, errors=_list(_object(line=INTEGER, reason=STRING)))
NEXT_ID: Schema = {"type": ["integer", "null"]}
NEXT_TEXT: Schema = {"type": ["string", "null"]}


def _ingest(summary: str, media_types: tuple[str, ...]) -> Schema:
    operation = _operation(summary, ACCEPTED)
    operation["requestBody"] = {"required": True, "content": {name: {"schema": STRING} for name in media_types}}
    operation["parameters"] = [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": STRING}]
    too_many = {"413": "Too large", "415": "Unknown Content-Encoding", "503": "Busy; see Retry-After"}
    operation["responses"] |= {code: _reply(_ref("Error"), text) for code, text in too_many.items()}
    operation["security"] = [{"intake": []}]
    return operation


def _export() -> Schema:
    forms = _query("format", "json when it is not given.", {"type": "string", "enum": EXPORTS})
    summary = "Take an alert out as another program's file, for analysts; each is in the audit trail."
    operation = _operation(summary, {"type": "object"}, ALERT_ID, forms)
    operation["responses"]["200"]["content"]["application/stix+json"] = {"schema": {"type": "object"}}
    operation["responses"]["409"] = _reply(_ref("Error"), "A blind audit, or STIX of an alert not found malicious")
    return operation


PATHS: Schema = {
    "/api/v1/ingest": {
        "post": _ingest(
            "Send events: NDJSON, a JSON array, one JSON object, or text lines.",
            ("application/x-ndjson", "application/json", "text/plain"),
        )
    },
    "/api/v1/ingest/syslog": {"post": _ingest("Send syslog lines.", ("text/plain",))},
    "/api/v1/events": {
        "get": _operation(
            "List stored events, newest first.",
            _object(events=_list(_ref("Event")), next=NEXT_ID),
            _query("contains", "Text in the message or the document."),
            _query("source", "Name of the feed, or what the sender called its source."),
            _query("host", "Host name."),
            _query("flagged", "Only flagged or only unflagged events.", {"type": "boolean"}),
            _query("since", "Earliest timestamp: ISO 8601 or seconds since 1970."),
            _query("before", "The last page's next.", INTEGER),
            LIMIT,
        )
    },
    "/api/v1/stats": {"get": _operation("Count records per stage.", _ref("Stats"))},
    "/api/v1/alerts": {
        "get": _operation(
            "List alerts in the queue's order.",
            _object(alerts=_list(_ref("Alert")), next=NEXT_TEXT),
            *(_query(name, text, schema) for name, (text, schema) in ALERT_FILTER.items()),
            _query("cursor", "The last page's next."),
            LIMIT,
        )
    },
    "/api/v1/alerts/{alert_id}": {
        "get": _operation("Show one alert with explanation, events, verdicts and history.", _ref("Alert"), ALERT_ID)
    },
    "/api/v1/alerts/{alert_id}/export": {"get": _export()},
    "/api/v1/alerts/{alert_id}/verdict": {
        "post": _operation("Record a verdict; needs the write scope.", _ref("Alert"), ALERT_ID, body=VERDICT)
    },
    "/api/v1/alerts/bulk": {
        "post": _operation(
            "Record one verdict for many alerts, by number or by filter; needs the write scope.",
            _object(
                decided=_list(INTEGER),
                skipped=_list(_object(id=INTEGER, reason=STRING)),
                matching=INTEGER | {"description": "With dry_run, and when the count was another: how many match."},
                up_to=INTEGER,
            ),
            body=BULK,
        )
    },
}
DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "Winnow", "version": "1"},
    "security": [{"token": []}, {"session": []}],
    "paths": PATHS,
    "components": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "description": "manage.py create_token USER"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            "intake": {"type": "http", "scheme": "bearer", "description": "manage.py create_source NAME"},
        },
        "schemas": {"Event": EVENT, "Alert": ALERT, "Stats": STATS, "Error": ERROR},
    },
}


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the document."""
    return JsonResponse(DOCUMENT)
