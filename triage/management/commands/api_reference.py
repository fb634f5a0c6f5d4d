"""``manage.py api_reference``: docs/api.md from the OpenAPI document that the API serves; ``--check`` compares."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from triage.views.openapi import DOCUMENT

PLACE = Path(settings.BASE_DIR) / "docs/api.md"
HEAD = """# API reference

Made from the OpenAPI document at `/api/v1/openapi.json` by `manage.py api_reference`; a test keeps it so. Every request
carries `Authorization: Bearer TOKEN` (`manage.py create_token`), or a session; what only sends logs takes a source's
token instead, see [intake.md](intake.md). Errors are `{"error": {"code": ..., "message": ...}}`.
"""


class Command(BaseCommand):
    """Write docs/api.md, or say that it is not what the code says."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it would change")

    def handle(self, *_: Any, check: bool = False, **options: Any) -> None:
        text = reference()
        if not check:
            PLACE.write_text(text, encoding="utf-8")
            self.stdout.write(str(PLACE))
        elif not PLACE.exists() or PLACE.read_text(encoding="utf-8") != text:
            raise CommandError("docs/api.md is not what the code says; run: manage.py api_reference")


def reference() -> str:
    """Return the whole document."""
    lines = [HEAD]
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            lines += _operation(f"{method.upper()} {path}", operation)
    lines.append("## Schemas\n")
    for name, schema in DOCUMENT["components"]["schemas"].items():
        lines += [f"### {name}\n", *_fields(schema), ""]
    return "\n".join(lines).rstrip() + "\n"


def _operation(title: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{operation['summary'].rstrip('.')}.\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | where | type | what |\n|---|---|---|---|"
        for one in parameters:
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {one.get('description', '')} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{media}`: {_type(content.get('schema', {}))}\n"
        if fields := list(_fields(content.get("schema", {}))):
            yield from [*fields, ""]
    for status, answer in operation["responses"].items():
        kinds = ", ".join(_type(one.get("schema", {})) for one in answer.get("content", {}).values())
        yield f"- **{status}** {answer['description']}{': ' + kinds if kinds else ''}"
    yield ""


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    properties = schema.get("properties")
    if not properties:
        return
    required = schema.get("required", [])
    yield "| field | type | |\n|---|---|---|"
    for name, one in properties.items():
        notes = ["required"] * (name in required) + ([one["description"]] if "description" in one else [])
        yield f"| `{name}` | {_type(one)} | {'; '.join(notes)} |"


def _type(schema: dict[str, Any]) -> str:
    """Return a schema in few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kinds = schema.get("type", "anything")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
