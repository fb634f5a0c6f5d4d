"""The API reference says what the code says."""

import pytest
from django.core.management import call_command

from triage.management.commands import api_reference
from triage.views.openapi import DOCUMENT

pytestmark = pytest.mark.once


def test_the_reference_is_what_the_code_says():
    call_command("api_reference", "--check")


def test_it_names_every_operation_parameter_and_schema():
    text = api_reference.reference()
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            part = text.split(f"## {method.upper()} {path}\n")[1].split("\n## ")[0]
            assert all(f"| `{one['name']}` |" in part for one in operation.get("parameters", []))
            assert all(f"- **{status}**" in part for status in operation["responses"])
    assert all(f"### {name}\n" in text for name in DOCUMENT["components"]["schemas"])
