"""Django settings, from the environment only. See ``.env.example`` for every variable."""

import ipaddress
import logging
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from triage.env import Environment, EnvironmentValueError

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

DATA_DIR = Path(env.text("WINNOW_DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
MODELS_DIR = Path(env.text("WINNOW_MODELS_DIR", str(BASE_DIR / "models_store"))).resolve()


def _secret_key() -> str:
    """Return SECRET_KEY, or a random one kept in the data directory for embedded use."""
    configured = env.text("SECRET_KEY")
    if configured:
        if len(configured) < 32:
            raise EnvironmentValueError("SECRET_KEY must have at least 32 characters")
        return configured
    path = DATA_DIR / "secret_key"
    if not path.exists():
        temporary = DATA_DIR / f"secret_key.{secrets.token_hex(4)}"
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):  # another process of the same start may be faster
            path.hardlink_to(temporary)
        temporary.unlink()
    return path.read_text()


# A host that the network has cut off says nothing, and nothing by itself ends its connections for hours. Both ends ask
# after ten silent seconds: the worker, so that it goes on elsewhere; the server, so that it unlocks that worker's rows.
LOST_PEER = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
    # For the server's end. A pooler that knows no such parameter: put ``options=`` into DATABASE_URL.
    "options": (
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=25000"
    ),
}


def _database(url: str) -> dict[str, Any]:
    """Return Django's database settings for ``DATABASE_URL``; empty means embedded SQLite."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(DATA_DIR / "winnow.sqlite3"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                # FULL: with NORMAL a power cut could take back what a shipper was told is safe.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise EnvironmentValueError("DATABASE_URL must start with postgresql:// (leave it empty for embedded SQLite)")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "winnow",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(options.pop("host", "") or parts.hostname or ""),
        "PORT": str(parts.port or options.pop("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": LOST_PEER | {key: unquote(value) for key, value in options.items()},
    }


def _price(name: str) -> tuple[float, float] | None:
    """Return US dollars per million tokens of question and answer, None when the price table counts."""
    names = f"{name}_INPUT_USD", f"{name}_OUTPUT_USD"
    given = [bool(env.text(each)) for each in names]
    if any(given) != all(given):
        raise EnvironmentValueError(f"{names[0]} and {names[1]} belong together: set both or neither")
    each = [env.decimal(one, 0.0, maximum=1e6) for one in names]
    return (each[0], each[1]) if all(given) else None


def _roles(name: str) -> dict[str, str]:
    """Return group -> role of ``group=role,group=role``; where groups have commas, ``;`` stands between them."""
    found, text = {}, env.text(name)
    for pair in filter(None, map(str.strip, text.split(";" if ";" in text else ","))):
        group, _, role = pair.rpartition("=")
        if not group or role not in {"viewer", "analyst", "lead", "admin"}:
            raise EnvironmentValueError(f"{name}: {pair!r} is not GROUP=viewer, analyst, lead or admin")
        found[group] = role
    return found


SECRET_KEY = _secret_key()
# Authenticates the audit trail; SECRET_KEY does where it is not set, which then cannot be changed without it.
AUDIT_KEY = env.text("AUDIT_KEY")
if AUDIT_KEY and len(AUDIT_KEY) < 32:
    raise EnvironmentValueError("AUDIT_KEY must have at least 32 characters")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "triage.apps.TriageConfig",
    "alerts.apps.AlertsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Pages are mostly markup. It adds random bytes, so that an answer's length does not tell what is in it; the CSRF
    # token differs in every answer anyway.
    "django.middleware.gzip.GZipMiddleware",
    "triage.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "triage.middleware.session_use",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "triage.urls"
WSGI_APPLICATION = "triage.wsgi.application"
ASGI_APPLICATION = "triage.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": _database(env.text("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "triage.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "queue"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Argon2id for new passwords; the others are read, and replaced at the next login.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
# How people get in (docs/secure.md). A session ends when nothing was done for so long, and after so many hours anyway.
SESSION_ENGINE = "triage.sessions"
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 480, minimum=5, maximum=43_200)
SESSION_COOKIE_AGE = 3600 * env.integer("SESSION_MAX_HOURS", 168, minimum=1, maximum=2160)
PASSWORD_LOGIN = env.boolean("PASSWORD_LOGIN", True)
TOTP_REQUIRED_FROM = env.choice("TOTP_REQUIRED_FROM", "nobody", ("nobody", "viewer", "analyst", "lead", "admin"))
OIDC_ISSUER = env.text("OIDC_ISSUER")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_SCOPES = env.text("OIDC_SCOPES", "openid profile email")
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLES = _roles("OIDC_ROLES")
OIDC_DEFAULT_ROLE = env.choice("OIDC_DEFAULT_ROLE", "none", ("none", "viewer", "analyst", "lead", "admin"))
OIDC_LABEL = env.text("OIDC_LABEL", "single sign-on")
if bool(OIDC_ISSUER) != bool(OIDC_CLIENT_ID):
    raise EnvironmentValueError("OIDC_ISSUER and OIDC_CLIENT_ID belong together: set both or neither")
if OIDC_ISSUER and not (OIDC_ROLES or OIDC_DEFAULT_ROLE != "none"):
    raise EnvironmentValueError("OIDC_ROLES or OIDC_DEFAULT_ROLE must say who gets in by OIDC_ISSUER")
if not PASSWORD_LOGIN and not OIDC_ISSUER:
    raise EnvironmentValueError("PASSWORD_LOGIN=false needs OIDC_ISSUER, or nobody could log in")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
BEHIND_TLS = env.boolean("BEHIND_TLS", False)
# Proxies whose word about the caller's address (X-Forwarded-For) is taken; logins are counted by address.
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", ["127.0.0.1", "::1"])
for _proxy in TRUSTED_PROXIES:
    try:
        ipaddress.ip_network(_proxy)
    except ValueError as error:
        raise EnvironmentValueError(f"TRUSTED_PROXIES: {_proxy!r} is no address and no network") from error
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
# "__Host-": a browser takes such a cookie from this very host alone, so that no neighbouring name can plant one.
_COOKIE_PREFIX = "__Host-" if BEHIND_TLS else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrftoken"
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# HSTS for whole domains is their owner's decision (W005, W021), and the proxy that speaks TLS redirects (W008).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"

# Celery. The database is the queue and the broker only the doorbell: messages carry ids and may be lost.
REDIS_URL = env.text("REDIS_URL")
_SPOOL = DATA_DIR / "doorbell"
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"visibility_timeout": 3600}
else:
    for folder in ("messages", "control"):
        (_SPOOL / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "spool://localhost"  # triage.spool
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_SPOOL / "messages"),
        "data_folder_out": str(_SPOOL / "messages"),
        "control_folder": str(_SPOOL / "control"),
        "polling_interval": 0.1,
    }

# Intake limits, in bytes and records.
MAX_BODY_BYTES = env.integer("MAX_BODY_BYTES", 64 * 2**20, minimum=2**16, maximum=2**31)
MAX_WIRE_BYTES = env.integer("MAX_WIRE_BYTES", 64 * 2**20, minimum=2**16, maximum=2**31)
MAX_RECORDS_PER_BATCH = 2**20 - 1
MAX_BACKLOG_RECORDS = env.integer("MAX_BACKLOG_RECORDS", 5_000_000, minimum=1000)
MIN_FREE_DISK_BYTES = env.integer("MIN_FREE_DISK_BYTES", 2**29)

# Detection.
LEARN_MIN_EVENTS = env.integer("LEARN_MIN_EVENTS", 5_000, minimum=200)
LEARN_MAX_EVENTS = env.integer("LEARN_MAX_EVENTS", 200_000, minimum=1000)
ALERT_BUDGET_PER_DAY = env.integer("ALERT_BUDGET_PER_DAY", 150, minimum=1)
BLIND_AUDITS_PER_DAY = env.integer("BLIND_AUDITS_PER_DAY", 10, minimum=0, maximum=1000)
RETENTION_DAYS = env.integer("RETENTION_DAYS", 30, minimum=1, maximum=3650)
# Plug-ins by name (docs/extend.md): what learns, and what explains without a language model.
DETECTOR = env.text("DETECTOR", "baseline_forest")
EXPLAINER = env.text("EXPLAINER", "evidence")

# A synthetic record goes through every stage so often (0 = none does), by this address of the intake. Without one it is
# put into the database, which leaves the intake out.
CANARY_MINUTES = env.integer("CANARY_MINUTES", 60, minimum=0, maximum=1440)
CANARY_URL = env.text("CANARY_URL").rstrip("/")

# Explanation.
LLM_BASE_URL = env.text("LLM_BASE_URL")
LLM_API_KEY = env.text("LLM_API_KEY")
LLM_MODEL = env.text("LLM_MODEL")
LLM_DATA_POLICY = env.choice("LLM_DATA_POLICY", "pseudonymise", ("off", "pseudonymise", "raw"))
LLM_DAILY_BUDGET_USD = env.decimal("LLM_DAILY_BUDGET_USD", 5.0)
LLM_MONTHLY_BUDGET_USD = env.decimal("LLM_MONTHLY_BUDGET_USD", 100.0)
LLM_PRICE = _price("LLM_PRICE")
LLM_LARGE_PRICE = _price("LLM_LARGE_PRICE")
LLM_TIMEOUT_SECONDS = env.decimal("LLM_TIMEOUT_SECONDS", 60.0, minimum=1.0, maximum=600.0)
# Asked when the first model's answer does not stand, or when an analyst asks; empty = there is only one.
LLM_LARGE_BASE_URL = env.text("LLM_LARGE_BASE_URL")
LLM_LARGE_API_KEY = env.text("LLM_LARGE_API_KEY")
LLM_LARGE_MODEL = env.text("LLM_LARGE_MODEL")
# Tells a hosted endpoint that questions come from the same tenant or analyst, as a keyed hash.
LLM_SAFETY_IDENTIFIER = env.choice("LLM_SAFETY_IDENTIFIER", "off", ("off", "tenant", "analyst"))
# How long alerts of one kind share an explanation (0 = never), and the share asked again to measure the error.
LLM_SHARE_HOURS = env.decimal("LLM_SHARE_HOURS", 24.0, minimum=0.0, maximum=720.0)
LLM_RECHECK_SHARE = env.decimal("LLM_RECHECK_SHARE", 0.03, minimum=0.0, maximum=1.0)
for _one, _other in (("LLM_BASE_URL", "LLM_MODEL"), ("LLM_LARGE_BASE_URL", "LLM_LARGE_MODEL")):
    if bool(globals()[_one]) != bool(globals()[_other]):
        raise EnvironmentValueError(f"{_one} and {_other} belong together: set both or neither")
if LLM_LARGE_BASE_URL and not LLM_BASE_URL:
    raise EnvironmentValueError("LLM_LARGE_BASE_URL is the second model; set LLM_BASE_URL and LLM_MODEL first")

# What outgoing requests may reach though it is inside (triage.outbound): addresses, networks and names.
OUTBOUND_ALLOW = env.words("OUTBOUND_ALLOW")

# Notifications. Links in them begin with PUBLIC_URL, else with the first trusted origin that is one host, else there
# are none. Mail goes by this server.
_ORIGINS = [one for one in CSRF_TRUSTED_ORIGINS if "*" not in one and "://" in one]
PUBLIC_URL = env.text("PUBLIC_URL") or next(iter(_ORIGINS), "")
SMTP_HOST = env.text("SMTP_HOST")
SMTP_PORT = env.integer("SMTP_PORT", 587, minimum=1, maximum=65535)
SMTP_SECURITY = env.choice("SMTP_SECURITY", "starttls", ("starttls", "tls", "off"))
SMTP_USER = env.text("SMTP_USER")
SMTP_PASSWORD = env.text("SMTP_PASSWORD")
SMTP_FROM = env.text("SMTP_FROM")
if bool(SMTP_HOST) != bool(SMTP_FROM):
    raise EnvironmentValueError("SMTP_HOST and SMTP_FROM belong together: set both or neither")
if PUBLIC_URL and urlsplit(PUBLIC_URL).scheme not in {"http", "https"}:
    raise EnvironmentValueError("PUBLIC_URL must start with https:// or http://")


def _is_no_probe(record: logging.LogRecord) -> bool:
    """Return whether a log record is about anything but a readiness probe."""
    return getattr(getattr(record, "request", None), "path", "") != "/readyz"


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    # A readiness probe that says "not yet" is an answer, not an error; the supervisor asks ten times a second.
    "filters": {"no_probes": {"()": "django.utils.log.CallbackFilter", "callback": _is_no_probe}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_probes"]}},
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("LOG_LEVEL", "WARNING", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}
