"""What an alert is called when its fields tell what happened."""

import pytest

from alerts import titles


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        (
            {"http.request.method": "GET", "url.original": "/a?b=1", "http.response.status_code": 404},
            "GET /a?b=1 answered 404",
        ),
        ({"http.request.method": "POST", "url.path": "/login"}, "POST /login"),
        ({"dns.question.name": "x.example", "dns.question.type": "TXT"}, "DNS TXT query for x.example"),
        ({"dns.question.name": "x.example"}, "DNS query for x.example"),
        (
            {
                "event.category": ["process"], "process.name": "powershell.exe",
                "process.parent.name": "winword.exe", "process.command_line": "powershell.exe -enc SQBFAFgA",
            },
            "winword.exe started powershell.exe -enc SQBFAFgA",
        ),
        ({"event.category": "process", "process.name": "id", "process.command_line": "id -u"}, "Started id -u"),
        (
            {
                "event.category": "authentication", "event.action": "ssh_login", "event.outcome": "failure",
                "user.name": "deploy",
            },
            "Failed login of deploy",
        ),
        (
            {
                "event.category": ["authentication"], "event.action": "logon", "event.outcome": "success",
                "user.name": ["al"],
            },
            "Login of al",
        ),
    ],
)  # fmt: skip
def test_fields_that_tell_what_happened_become_the_title(fields: dict[str, object], title: str) -> None:
    assert titles.told(fields) == title


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url.path": "/only-a-path"},
        {"process.name": "sshd", "process.command_line": "x", "event.category": "authentication"},
        {
            "event.category": "authentication",
            "event.action": "group_added",
            "event.outcome": "success",
            "user.name": "a",
        },
        {"event.category": "authentication", "event.action": "logon", "user.name": "a"},
        {"event.category": [], "dns.question.name": []},
    ],
)
def test_fields_that_tell_nothing_leave_the_title_to_the_message(fields: dict[str, object]) -> None:
    assert titles.told(fields) == ""
