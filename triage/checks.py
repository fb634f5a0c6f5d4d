"""System checks of the event side, run by ``manage.py check``."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register()
def check_models_dir(**_: Any) -> list[CheckMessage]:
    """The model store must exist and be writable for training."""
    if not settings.MODELS_DIR.is_dir():
        return [Warning(f"model store {settings.MODELS_DIR} does not exist", hint="Create it.", id="winnow.W001")]
    return []
