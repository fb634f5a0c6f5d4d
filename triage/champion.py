"""The model that is serving: which one, and its detector, loaded once per process.

Handed: the model ledger and the model store. Hands on: a :class:`Champion` or ``None`` while there is
none. A champion whose artefact is refused (tampered, truncated, too new) is not served; the reason is kept
for readiness and doctor, and the last good detector of this process goes on serving.
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

logger = logging.getLogger(__name__)
#: How long a process may serve without asking the ledger again (seconds).
CHECK_SECONDS = 1.0


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


_serving = _Serving()


def load(model: ModelVersion) -> Champion:
    """Load any version; raise :class:`triage.registry.artefact.ArtefactError` when it is refused."""
    state = artefact.load(settings.MODELS_DIR, model.version, model.artefact_sha256)
    return Champion(model.pk, model.version, detectors.get(model.detector).from_state(state))


def current() -> Champion | None:
    """Return the champion; at most :data:`CHECK_SECONDS` old."""
    now = time.monotonic()
    if now - _serving.checked_at >= CHECK_SECONDS:
        _serving.checked_at = now
        _refresh(ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first())
        _serving.champion = _under_policy(_serving.champion)
    return _serving.champion


def _under_policy(champion: Champion | None) -> Champion | None:
    """Return the champion with the threshold that people last decided for it."""
    if champion is None:
        return None
    policy = AlertPolicy.objects.filter(model_version=champion.model_id).order_by("-id").first()
    threshold = None if policy is None else policy.threshold
    return champion if champion.threshold == threshold else replace(champion, threshold=threshold)


def _refresh(model: ModelVersion | None) -> None:
    if model is None:
        _serving.champion, _serving.problem = None, ""
        return
    if _serving.champion is not None and _serving.champion.model_id == model.pk:
        return
    try:
        _serving.champion, _serving.problem, _serving.refused_version = load(model), "", ""
        _settle()
    except artefact.ArtefactError as error:
        _serving.problem = f"champion {model.version} is refused: {error}"
        if _serving.refused_version != model.version:
            logger.exception("champion %s is refused", model.version)
        _serving.refused_version = model.version


def _settle() -> None:
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
    """Ask the ledger again at the next call (after a promotion, and in tests)."""
    _serving.champion, _serving.checked_at, _serving.problem, _serving.refused_version = None, 0.0, "", ""
