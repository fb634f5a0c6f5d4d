"""``manage.py create_token USER``: make an API token for a person and print it once."""

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from triage import hooks
from triage.authentication import hash_token, new_token
from triage.hooks import Operation
from triage.management.operator import at_the_shell
from triage.models import ApiToken, TokenScope, User

MAX_DAYS = 3650


class Command(BaseCommand):
    help = "Create a token for /api/v1/ and print it. The token is shown once; only its hash is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the login name")
        parser.add_argument("--scope", choices=TokenScope.values, default=TokenScope.READ.value)
        parser.add_argument("--name", default="", help="what it is for, as shown in Settings")
        parser.add_argument("--days", type=int, help="when it ends; without it, when it is revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['user']!r}")
        if options["days"] is not None and not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"--days: 1 to {MAX_DAYS}")
        ends_at = timezone.now() + dt.timedelta(days=options["days"]) if options["days"] else None
        token = new_token("wa")
        with transaction.atomic():
            made = ApiToken.objects.create(
                user=user,
                token_hash=hash_token(token),
                scope=options["scope"],
                name=options["name"][:80],
                expires_at=ends_at,
            )
            details = {"token": made.pk, "user": user.get_username(), "scope": made.scope}
            hooks.operation(Operation("token.created", at_the_shell(), details))
        self.stdout.write(token)
