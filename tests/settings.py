"""Settings of a test run: the product's own, with every file in a temporary directory.

Handed: the caller's environment. Hands on: the product's settings. pytest-django reads settings before any
conftest runs, so the isolation has to happen here. Child processes inherit the variables set below and load
``triage.settings`` like any real process.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

#: What a developer may have set for a real run; none of it may reach a test.
PERSONAL_VARIABLES = (
    "AUDIT_KEY",
    "ALERT_BUDGET_PER_DAY",
    "ALLOWED_HOSTS",
    "BEHIND_TLS",
    "CSRF_TRUSTED_ORIGINS",
    "CANARY_MINUTES",
    "CANARY_URL",
    "DEBUG",
    "DETECTOR",
    "EXPLAINER",
    "LEARN_MAX_EVENTS",
    "LEARN_MIN_EVENTS",
    "LLM_API_KEY",
    "LLM_BASE_URL",
    "LLM_DAILY_BUDGET_USD",
    "LLM_DATA_POLICY",
    "LLM_LARGE_API_KEY",
    "LLM_LARGE_BASE_URL",
    "LLM_LARGE_MODEL",
    "LLM_LARGE_PRICE_INPUT_USD",
    "LLM_LARGE_PRICE_OUTPUT_USD",
    "LLM_MODEL",
    "LLM_MONTHLY_BUDGET_USD",
    "LLM_PRICE_INPUT_USD",
    "LLM_PRICE_OUTPUT_USD",
    "LLM_RECHECK_SHARE",
    "LLM_SAFETY_IDENTIFIER",
    "LLM_SHARE_HOURS",
    "LLM_TIMEOUT_SECONDS",
    "LOG_LEVEL",
    "MAX_BACKLOG_RECORDS",
    "MAX_BODY_BYTES",
    "MAX_WIRE_BYTES",
    "MIN_FREE_DISK_BYTES",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_DEFAULT_ROLE",
    "OIDC_GROUPS_CLAIM",
    "OIDC_ISSUER",
    "OIDC_LABEL",
    "OIDC_ROLES",
    "OIDC_SCOPES",
    "OUTBOUND_ALLOW",
    "PASSWORD_LOGIN",
    "PUBLIC_URL",
    "RETENTION_DAYS",
    "SESSION_IDLE_MINUTES",
    "SESSION_MAX_HOURS",
    "SMTP_FROM",
    "SMTP_HOST",
    "SMTP_PASSWORD",
    "SMTP_PORT",
    "SMTP_SECURITY",
    "SMTP_USER",
    "TOTP_REQUIRED_FROM",
    "TRUSTED_PROXIES",
)


def isolate() -> Path:
    """Point the product's variables at a fresh directory that goes away with this process."""
    for name in PERSONAL_VARIABLES:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    directory = Path(tempfile.mkdtemp(prefix="winnow-test-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(directory, ignore_errors=True))
    (directory / "models").mkdir()
    os.environ["WINNOW_DATA_DIR"] = str(directory)
    os.environ["WINNOW_MODELS_DIR"] = str(directory / "models")
    os.environ["SECRET_KEY"] = "only-for-tests-" + "0123456789" * 4
    os.environ["DJANGO_SETTINGS_MODULE"] = "triage.settings"
    return directory


isolate()

from triage import settings as product  # noqa: E402 - reads the environment prepared above

globals().update({name: getattr(product, name) for name in dir(product) if name.isupper()})
# Tests that are about it send one themselves.
CANARY_MINUTES = 0
# A fast hash; nothing in the product depends on which one it is.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if not os.environ.get("DATABASE_URL"):
    # A file, not memory: threads and child processes then meet the same locks as in a real run.
    product.DATABASES["default"]["TEST"] = {"NAME": str(product.DATA_DIR / "test.sqlite3")}
