"""System checks of the event side, run by ``manage.py check``."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from triage import detectors, explainers, plugins


@register()
def check_models_dir(**_: Any) -> list[CheckMessage]:
    """The model store must exist and be writable for training."""
    if not settings.MODELS_DIR.is_dir():
        return [Warning(f"model store {settings.MODELS_DIR} does not exist", hint="Create it.", id="winnow.W001")]
    return []


@register()
def check_plug_ins(**_: Any) -> list[CheckMessage]:
    """What is chosen by name must be there."""
    chosen = {
        "DETECTOR": plugins.names(detectors.TABLE, detectors.GROUP),
        "EXPLAINER": plugins.names(explainers.TABLE, explainers.GROUP) - {"openai_chat"},
    }
    return [
        Error(
            f"{name}: {getattr(settings, name)!r} is not one of {', '.join(sorted(known))}",
            hint="Install the package it is in, or leave the variable out.",
            id="winnow.E001",
        )
        for name, known in chosen.items()
        if getattr(settings, name) not in known
    ]
