"""What a newcomer needs to get going: a login, an intake token, a line to try.

Handed: the address Winnow answers at. Hands on: printed lines, and the sample feed as a child process. The
login and the token are made once and kept in the data directory, readable by its owner only.
"""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.db import transaction

from triage import authentication, hooks
from triage.hooks import Operation
from triage.management.operator import at_the_shell
from triage.management.supervisor import Child
from triage.models import ApiToken, Role, Source, TokenScope, User

SOURCE_NAMES = {False: "first-source", True: "sample-feed"}


def _credentials_path(sample_feed: bool) -> Path:
    return Path(settings.DATA_DIR) / ("sample_feed.json" if sample_feed else "welcome.json")


def credentials(*, sample_feed: bool) -> dict[str, str]:
    """Return login, password, intake token and API token, making them at the first call."""
    path = _credentials_path(sample_feed)
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    name = "demo" if sample_feed else "admin"
    password = secrets.token_urlsafe(9)
    source = SOURCE_NAMES[sample_feed]
    with transaction.atomic():
        user, _ = User.objects.get_or_create(username=name, defaults={"role": Role.ADMIN})
        user.role, user.is_staff, user.is_superuser = Role.ADMIN, True, True
        user.set_password(password)
        user.save()
        made = {"login": name, "password": password, **_tokens(user, source)}
        hooks.operation(Operation("installation.welcomed", at_the_shell(), {"user": name, "source": source}))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file)
    return made


def _tokens(user: User, source_name: str) -> dict[str, str]:
    intake_token, api_token = authentication.new_token("wi"), authentication.new_token("wa")
    Source.objects.update_or_create(
        name=source_name, defaults={"token_hash": authentication.hash_token(intake_token), "enabled": True}
    )
    ApiToken.objects.create(user=user, token_hash=authentication.hash_token(api_token), scope=TokenScope.READ)
    return {"intake_token": intake_token, "api_token": api_token}


def show(stdout: TextIO | Any, url: str, *, sample_feed: bool) -> None:
    """Print the address, the login, and how to send the first event."""
    made = credentials(sample_feed=sample_feed)
    token = made["intake_token"]
    lines = (
        "",
        f"Winnow     {url}",
        f"login      {made['login']}",
        f"password   {made['password']}",
        f"intake     {token}",
        "",
        f"try        curl -H 'Authorization: Splunk {token}' \\",
        f"""             -d '{{"event": "hello from my shell", "host": "laptop"}}' {url}/services/collector/event""",
        "",
        "Ctrl-C stops everything.",
        "",
    )
    stdout.write("\n".join(f"  {line}".rstrip() for line in lines) + "\n")
    stdout.flush()


def sample_feed(url: str) -> Child:
    """Return the sample feed as a child: a program that only knows the HTTP intake and the API."""
    made = credentials(sample_feed=True)
    key = Path(settings.DATA_DIR) / "sample_feed_answer_key.json"
    command = [sys.executable, "-m", "bench.company", "--url", url, "--key", str(key)]
    environment = {"WINNOW_INTAKE_TOKEN": made["intake_token"], "WINNOW_API_TOKEN": made["api_token"]}
    return Child("sample-feed", command, role="sample", restart=False, environment=environment)
