"""A PostgreSQL and a Redis for a bench, whose database may stay on disk for the next run.

Handed: a directory. Hands on: ``DATABASE_URL`` and ``REDIS_URL``. A database that a bench has filled, and left a file
called ``filled`` beside, is used again; one it left half done is made anew. The servers are those of the tests
(:mod:`tests.servers`), with the settings of a small production machine.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests import servers

#: A quarter of 2 GiB and room for sorting: what an administrator would set first on a small machine.
SETTINGS = servers.POSTGRESQL_SETTINGS | {
    "shared_buffers": "512MB",
    "work_mem": "16MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
}


@contextlib.contextmanager
def variables(directory: Path) -> Iterator[dict[str, str]]:
    """Run both servers and yield their variables."""
    directory.mkdir(parents=True, exist_ok=True)
    for one in (directory, *directory.parents):
        # Even an account without rights has to walk through to the cluster, which is closed to others.
        if one.name.startswith("tmp"):
            one.chmod(0o711)
    directory.chmod(0o711)
    if not (directory / "filled").exists():
        shutil.rmtree(directory / "postgresql", ignore_errors=True)
    with contextlib.ExitStack() as stack:
        passing = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winnow-redis-")))
        yield {
            "DATABASE_URL": stack.enter_context(_postgresql(directory)),
            "REDIS_URL": stack.enter_context(servers.redis_server(passing)),
        }


@contextlib.contextmanager
def _postgresql(directory: Path) -> Iterator[str]:
    home = directory / "postgresql"
    home.mkdir(mode=0o700, exist_ok=True)
    identity, password, port = servers.unprivileged(home), secrets.token_hex(16), servers.free_port()
    programs = _programs(directory)
    if (home / "cluster").is_dir():
        password, cluster = (home / "password").read_text(), home / "cluster"
    else:
        cluster = servers.initialise(programs, home, password, identity)
    options = [f"-c{name}={value}" for name, value in (SETTINGS | {"port": str(port)}).items()]
    url, log = f"postgresql://winnow:{password}@127.0.0.1:{port}", directory / "postgresql.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [programs / "postgres", "-D", cluster, *options],
            cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **identity,
        )  # fmt: skip
    try:
        servers.wait_until(lambda: servers.accepts_connections(f"{url}/postgres"), process, log)
        with psycopg.connect(f"{url}/postgres", autocommit=True) as link:
            if not link.execute("SELECT 1 FROM pg_database WHERE datname = 'winnow'").fetchone():
                link.execute("CREATE DATABASE winnow")
        yield f"{url}/winnow"
    finally:
        servers.stop(process, signal.SIGINT)


def _programs(directory: Path) -> Path:
    """Return where ``postgres`` is; the copy that root needs is made once."""
    copied = directory / "programs"
    if os.geteuid() == 0 and copied.is_dir():
        return next(copied.glob("*/pginstall/bin"))
    return servers.postgresql_programs(directory)
