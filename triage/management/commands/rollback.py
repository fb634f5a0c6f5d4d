"""``manage.py rollback``: put the champion before the present one back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import promotion
from triage.management.operator import at_the_shell
from triage.registry.sealed import ArtefactError


class Command(BaseCommand):
    """Serve the previous champion again; the present one is rejected, so that no later rollback returns to it."""

    help = __doc__ or ""

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            model = promotion.rollback(by=at_the_shell())
        except ArtefactError as error:
            raise CommandError(f"the previous champion is refused, the present one goes on serving: {error}") from error
        except promotion.NothingEarlierError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"champion {model.version}")
