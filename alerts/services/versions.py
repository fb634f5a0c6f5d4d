"""Which model version serves, decided by people: promote one, roll back.

Handed: a version, who decides, and the champion they were looking at. Hands on: the ledger, changed, with one audit
entry in the same transaction. The entry is written by :func:`note_change`, which hears of every change of champion:
from the pages, from the command line, and of the gate's own.
"""

from alerts.models import DecidedBy
from alerts.services import audit
from triage.hooks import ChampionChange, Decider
from triage.models import ModelVersion, User
from triage.registry.sealed import ArtefactError

MAX_REASON = 2_000


class VersionRefusedError(RuntimeError):
    """The version cannot serve; the message says why. Nothing was changed."""


class StaleVersionError(RuntimeError):
    """The champion is not the one the person saw. Nothing was changed."""


def note_change(change: ChampionChange) -> None:
    """Append the audit entry of a change of champion; runs inside its transaction."""
    audit.record(
        action=f"{change.action}_model",
        actor=change.by.name,
        kind=DecidedBy.PERSON if change.by.is_person else DecidedBy.AUTOMATION,
        details={"version": change.version, "previous": change.previous, "reason": change.reason[:MAX_REASON]},
    )


def promote_version(*, version_id: int, user: User, expected_champion: str) -> ModelVersion:
    """Let a version serve because a person says so, whatever the gate has said.

    Raises ``ModelVersion.DoesNotExist``, :class:`VersionRefusedError` or :class:`StaleVersionError`.
    """
    from triage import promotion

    model = ModelVersion.objects.get(pk=version_id)
    words = f"Promoted by {user.get_username()}."
    by = Decider(user.get_username())
    try:
        if not promotion.promote(model, by=by, words=words, expected=expected_champion):
            raise StaleVersionError(f"{model.version} is the champion already")
    except ArtefactError as error:
        raise VersionRefusedError(f"{model.version} is refused, the champion goes on serving: {error}") from error
    except promotion.StaleChampionError as error:
        raise StaleVersionError(str(error)) from error
    return model


def roll_back(*, user: User, expected_champion: str) -> ModelVersion:
    """Put the champion before the present one back. Raises as :func:`promote_version`, but for ``DoesNotExist``."""
    from triage import promotion

    try:
        return promotion.rollback(by=Decider(user.get_username()), expected=expected_champion)
    except (ArtefactError, promotion.NothingEarlierError) as error:
        raise VersionRefusedError(f"the champion goes on serving: {error}") from error
    except promotion.StaleChampionError as error:
        raise StaleVersionError(str(error)) from error
