"""``manage.py create_token USER``: make an API token for a person and print it once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage.authentication import hash_token, new_token
from triage.models import ApiToken, TokenScope, User


class Command(BaseCommand):
    help = "Create a token for /api/v1/ and print it. The token is shown once; only its hash is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the login name")
        parser.add_argument("--scope", choices=TokenScope.values, default=TokenScope.READ.value)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['user']!r}")
        token = new_token("wa")
        ApiToken.objects.create(user=user, token_hash=hash_token(token), scope=options["scope"])
        self.stdout.write(token)
