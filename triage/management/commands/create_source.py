"""``manage.py create_source NAME``: make a source and print its intake token once."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from triage import hooks
from triage.authentication import hash_token, new_token
from triage.hooks import Operation
from triage.management.operator import at_the_shell
from triage.models import Source


class Command(BaseCommand):
    help = "Create a source and print its intake token. The token is shown once; only its hash is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a name of up to 80 characters")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--rotate", action="store_true", help="give an existing source a new token")
        either.add_argument("--ack", action="store_true", help="HEC senders must ask for acknowledgement (useACK)")

    def handle(self, *args: Any, **options: Any) -> None:
        name, token = options["name"].strip(), new_token("wi")
        with transaction.atomic():
            if options["rotate"]:
                rotate(name, token)
            else:
                create(name, token, use_ack=options["ack"])
            action = "source.rotated" if options["rotate"] else "source.created"
            hooks.operation(Operation(action, at_the_shell(), {"source": name}))
        self.stdout.write(token)


def rotate(name: str, token: str) -> None:
    """Replace the token of a source; the old one stops working within seconds."""
    if not Source.objects.filter(name=name).update(token_hash=hash_token(token)):
        raise CommandError(f"there is no source {name!r}")


def create(name: str, token: str, *, use_ack: bool = False) -> None:
    """Make a source."""
    source = Source(name=name, token_hash=hash_token(token), use_ack=use_ack)
    if Source.objects.filter(name=name).exists():
        raise CommandError(f"source {name!r} exists already; --rotate gives it a new token")
    try:
        source.full_clean()
        source.save()
    except ValidationError as error:
        raise CommandError(f"source {name!r}: {'; '.join(error.messages)}") from error
    except IntegrityError as error:
        raise CommandError(f"source {name!r} exists already; --rotate gives it a new token") from error
