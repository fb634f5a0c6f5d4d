"""The model that is serving: which one, and its detector, loaded once per process.

Handed: the model ledger and the model store. Hands on: a :class:`Champion` or ``None`` while there is
none. A champion whose artefact is refused (tampered, truncated, too new) is not served; the reason is kept
for doctor and the log. What this process served before goes on, or, in a process that has just started, the newest
earlier champion that opens; events say which version really scored them.
"""

import gc
import logging
import time
from dataclasses import dataclass, replace

import numpy as np
from django.conf import settings

from triage import detectors
from triage.detectors.base import Detector, Examined
from triage.models import AlertPolicy, ModelStatus, ModelVersion
from triage.registry import artefact
from triage.registry.sealed import ArtefactError

logger = logging.getLogger(__name__)
#: How long a process may serve without asking the ledger again (seconds).
CHECK_SECONDS = 1.0
#: How long a refused version is left alone before it is tried again: someone may have put the file back.
RETRY_SECONDS = 30.0
#: Earlier champions that are tried when the present one is refused.
MAX_EARLIER = 5


@dataclass(frozen=True, slots=True)
class Champion:
    """A loaded model version. ``threshold`` is what people decided; None leaves it to the detector."""

    model_id: int
    version: str
    detector: Detector
    threshold: float | None = None

    def flag(self, examined: Examined) -> np.ndarray:
        """Return which events are flagged, booleans of shape ``(n_events,)``."""
        if self.threshold is None:
            return self.detector.flag(examined.scores, examined.p_values)
        return np.asarray(examined.scores > self.threshold)


@dataclass(slots=True)
class _Serving:
    champion: Champion | None = None
    checked_at: float = 0.0
    problem: str = ""
    refused_version: str = ""
    refused_at: float = 0.0


_serving = _Serving()


def load(model: ModelVersion) -> Champion:
    """Load any version; raise :class:`triage.registry.sealed.ArtefactError` when it is refused."""
    state = artefact.load(settings.MODELS_DIR, model.version, model.artefact_sha256)
    try:
        return Champion(model.pk, model.version, detectors.get(model.detector).from_state(state))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # What the ledger vouches for and skops opens may still have been written by another Winnow.
        words = f"version {model.version} does not fit this Winnow: {type(error).__name__}: {error}"
        raise ArtefactError(words) from error


def current() -> Champion | None:
    """Return the champion; at most :data:`CHECK_SECONDS` old."""
    now = time.monotonic()
    if now - _serving.checked_at >= CHECK_SECONDS:
        _serving.checked_at = now
        _refresh(ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first())
        _serving.champion = None if _serving.champion is None else under_policy(_serving.champion)
    return _serving.champion


def under_policy(champion: Champion) -> Champion:
    """Return a version with the threshold that people last decided for it."""
    policy = AlertPolicy.objects.filter(model_version=champion.model_id).order_by("-id").first()
    threshold = None if policy is None else policy.threshold
    return champion if champion.threshold == threshold else replace(champion, threshold=threshold)


def _refresh(model: ModelVersion | None) -> None:
    if model is None or (_serving.champion is not None and _serving.champion.model_id == model.pk):
        _serving.champion = None if model is None else _serving.champion
        _serving.problem, _serving.refused_version = "", ""
    elif model.version != _serving.refused_version or time.monotonic() - _serving.refused_at >= RETRY_SECONDS:
        try:
            _serving.champion, _serving.problem, _serving.refused_version = load(model), "", ""
            settle()
        except ArtefactError as error:
            _refuse(model, error)


def _refuse(model: ModelVersion, error: ArtefactError) -> None:
    """Go on with what was served before, and say so."""
    if _serving.refused_version != model.version:
        logger.error("champion %s is refused: %s", model.version, error)
    if _serving.champion is None:
        _serving.champion = _earlier()
    now = _serving.champion
    goes_on = f"version {now.version} goes on serving" if now else "no earlier version opens: events stay unscored"
    _serving.problem = f"champion {model.version} is refused: {error}; {goes_on}"
    _serving.refused_version, _serving.refused_at = model.version, time.monotonic()


def _earlier() -> Champion | None:
    """Return the newest earlier champion that opens."""
    retired = ModelVersion.objects.filter(status=ModelStatus.RETIRED, promoted_at__isnull=False)
    for model in retired.order_by("-promoted_at")[:MAX_EARLIER]:
        try:
            found = load(model)
        except ArtefactError as error:
            logger.error("earlier champion %s is refused too: %s", model.version, error)
        else:
            settle()
            return found
    return None


def settle() -> None:
    """Take the model and the libraries out of the collector's walks; what an old champion left goes first.

    They stay for good, and walking over them again with every full collection cost 40 ms each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def problem() -> str:
    """Return why the ledger's champion is not being served by this process, or an empty string."""
    return _serving.problem


def forget() -> None:
    """Ask the ledger again at the next call, and load anew (after a promotion, and in tests)."""
    _serving.champion, _serving.checked_at, _serving.problem, _serving.refused_version = None, 0.0, "", ""
