"""Settings through the front door: a new process, real variables, what it says on its way out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRINT = "import json; from triage import settings as s; print(json.dumps({n: getattr(s, n) for n in %r}, default=str))"

pytestmark = pytest.mark.once


def load(tmp_path: Path, names: tuple[str, ...] = (), **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "WINNOW_DATA_DIR": str(tmp_path / "data")} | variables
    return subprocess.run(
        [sys.executable, "-c", PRINT % (names,)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def values(tmp_path: Path, *names: str, **variables: str) -> dict[str, object]:
    result = load(tmp_path, names, **variables)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY must have at least 32 characters"),
        ({"DEBUG": "perhaps"}, "DEBUG: 'perhaps' is not a boolean; use true or false"),
        ({"DATABASE_URL": "mysql://db/winnow"}, "DATABASE_URL must start with postgresql://"),
        ({"RETENTION_DAYS": "0"}, "RETENTION_DAYS: 0 is outside 1 to 3650"),
        ({"ALERT_BUDGET_PER_DAY": "lots"}, "ALERT_BUDGET_PER_DAY: 'lots' is not a whole number"),
        ({"LLM_DATA_POLICY": "send"}, "LLM_DATA_POLICY: 'send' is not one of off, pseudonymise, raw"),
        ({"LLM_DAILY_BUDGET_USD": "-1"}, "LLM_DAILY_BUDGET_USD: -1.0 is outside 0.0 to"),
        ({"LLM_BASE_URL": "http://127.0.0.1:1/v1"}, "LLM_BASE_URL and LLM_MODEL belong together"),
        ({"LLM_PRICE_INPUT_USD": "1"}, "LLM_PRICE_INPUT_USD and LLM_PRICE_OUTPUT_USD belong together"),
        ({"LLM_LARGE_PRICE_OUTPUT_USD": "1"}, "LLM_LARGE_PRICE_INPUT_USD and LLM_LARGE_PRICE_OUTPUT_USD belong"),
        ({"LLM_PRICE_INPUT_USD": "1", "LLM_PRICE_OUTPUT_USD": "-1"}, "LLM_PRICE_OUTPUT_USD: -1.0 is outside 0.0 to"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: 'LOUD' is not one of DEBUG, INFO, WARNING, ERROR"),
        ({"OIDC_ISSUER": "https://id.example"}, "OIDC_ISSUER and OIDC_CLIENT_ID belong together"),
        ({"OIDC_ROLES": "soc=analyst,x=god"}, "OIDC_ROLES: 'x=god' is not GROUP=viewer, analyst, lead or admin"),
        (
            {"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "w"},
            "OIDC_ROLES or OIDC_DEFAULT_ROLE must say who gets in",
        ),
        ({"PASSWORD_LOGIN": "false"}, "PASSWORD_LOGIN=false needs OIDC_ISSUER"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES: '10.0.0.1/8' is no address and no network"),
        ({"SECRET_KEY_FILE": "/nonexistent/key"}, "SECRET_KEY_FILE: cannot read /nonexistent/key"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(tmp_path: Path, variables: dict[str, str], message: str):
    result = load(tmp_path, **variables)
    assert result.returncode == 1
    assert f"triage.env.EnvironmentValueError: {message}" in result.stderr.splitlines()[-1]


def test_nothing_set_means_embedded(tmp_path: Path):
    found = values(tmp_path, "DATABASES", "CELERY_BROKER_URL", "DEBUG", "LLM_DATA_POLICY", "ALLOWED_HOSTS")
    database = found["DATABASES"]["default"]  # type: ignore[index]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "data" / "winnow.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert found["CELERY_BROKER_URL"] == "spool://localhost"
    assert found["DEBUG"] is False
    assert found["LLM_DATA_POLICY"] == "pseudonymise"
    assert found["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost", "[::1]"]


def test_database_and_redis_urls_mean_production(tmp_path: Path):
    found = values(
        tmp_path,
        "DATABASES",
        "CELERY_BROKER_URL",
        "LOST_PEER",
        DATABASE_URL="postgresql://me:p%40ss@db.example:6543/logs?sslmode=require",
        REDIS_URL="redis://cache.example:6379/1",
    )
    database = found["DATABASES"]["default"]  # type: ignore[index]
    expected = {"NAME": "logs", "USER": "me", "PASSWORD": "p@ss", "HOST": "db.example", "PORT": "6543"}
    assert {name: database[name] for name in expected} == expected
    lost = found["LOST_PEER"]
    assert lost["connect_timeout"] == "10"  # type: ignore[index]
    assert database["OPTIONS"] == lost | {"sslmode": "require"}
    assert found["CELERY_BROKER_URL"] == "redis://cache.example:6379/1"


def test_a_postgresql_socket_directory_can_be_the_host(tmp_path: Path):
    url = "postgresql://me@/logs?host=%2Frun%2Fpg&port=5433&connect_timeout=3"
    found = values(tmp_path, "DATABASES", "LOST_PEER", DATABASE_URL=url)
    database = found["DATABASES"]["default"]  # type: ignore[index]
    assert (database["HOST"], database["PORT"]) == ("/run/pg", "5433")
    assert database["OPTIONS"] == found["LOST_PEER"] | {"connect_timeout": "3"}  # what is asked for wins


def test_the_embedded_secret_key_is_kept_private_and_stays(tmp_path: Path):
    first = values(tmp_path, "SECRET_KEY")
    assert values(tmp_path, "SECRET_KEY") == first
    assert len(str(first["SECRET_KEY"])) >= 32
    path = tmp_path / "data" / "secret_key"
    assert path.read_text() == first["SECRET_KEY"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["secret_key"]


def test_a_configured_secret_key_leaves_no_file(tmp_path: Path):
    key = "k" * 40
    assert values(tmp_path, "SECRET_KEY", SECRET_KEY=key) == {"SECRET_KEY": key}
    assert not (tmp_path / "data" / "secret_key").exists()


def test_a_price_is_both_numbers_or_the_tables(tmp_path: Path):
    named = {"LLM_PRICE_INPUT_USD": "0.15", "LLM_PRICE_OUTPUT_USD": "0"}
    assert values(tmp_path, "LLM_PRICE", "LLM_LARGE_PRICE", **named) == {
        "LLM_PRICE": [0.15, 0.0],
        "LLM_LARGE_PRICE": None,
    }


def test_groups_become_roles(tmp_path: Path):
    for given, roles in (
        ("soc=analyst, a b=admin", {"soc": "analyst", "a b": "admin"}),
        ("cn=soc,ou=groups=analyst;", {"cn=soc,ou=groups": "analyst"}),
    ):
        assert values(tmp_path, "OIDC_ROLES", OIDC_ROLES=given) == {"OIDC_ROLES": roles}


def test_a_secret_comes_from_a_file(tmp_path: Path):
    secret = tmp_path / "llm"
    secret.write_text("sk-from-file\n")
    assert values(tmp_path, "LLM_API_KEY", LLM_API_KEY_FILE=str(secret)) == {"LLM_API_KEY": "sk-from-file"}


def test_cookies_are_secure_behind_tls(tmp_path: Path):
    cookies = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME")
    assert values(tmp_path, *cookies) == dict(zip(cookies, ("sessionid", "csrftoken"), strict=True))
    found = values(tmp_path, *cookies, BEHIND_TLS="true")
    assert found == dict(zip(cookies, ("__Host-sessionid", "__Host-csrftoken"), strict=True))
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    assert values(tmp_path, *names) == dict(zip(names, (False, False, 0), strict=True))
    assert values(tmp_path, *names, BEHIND_TLS="true") == dict(zip(names, (True, True, 31_536_000), strict=True))


def test_every_variable_is_in_the_example_file(tmp_path: Path):
    """The names settings read and the names the example and the README list are the same ones."""
    spy = (
        "import triage.env as e; seen = set(); read = e.Environment.text\n"
        "def text(self, name, default=''):\n    seen.add(name)\n    return read(self, name, default)\n"
        "e.Environment.text = text\nimport triage.settings\nprint(*sorted(seen))"
    )
    environment = {"PATH": os.environ["PATH"], "WINNOW_DATA_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", spy], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    names = set(result.stdout.split())
    example = {
        line.lstrip("# ").split("=", 1)[0]
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line and line.lstrip("# ").split("=", 1)[0].isupper()
    }
    assert example == names
    readme = (ROOT / "README.md").read_text()
    assert {name for name in names if f"`{name}`" not in readme} == set()
