"""Several hosts on one machine: network namespaces with a name, a network and files of their own, over one bridge.

The front host, which is this machine, runs PostgreSQL, Redis, the web process, the learn worker and beat; each worker
host runs one pipeline and one explain worker, reaches the servers over its link only, and can be cut off. Needs root.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import servers
from tests.deployment import ROOT, Deployment, environment_for
from tests.faults.backing import backing
from tests.faults.estate import Estate
from tests.triage.explainers.fake_llm import Reply, fake_llm, good

CPU_PERIOD_US = 100_000


def why_not() -> str:
    """Return why there can be no hosts here; empty when there can."""
    missing = [program for program in ("ip", "unshare") if not shutil.which(program)]
    if missing:
        return f"{' and '.join(missing)} not installed"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"winnow-{secrets.token_hex(3)}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        return "network namespaces are not allowed here"
    ip("netns", "del", name)
    return ""


def ip(*arguments: str) -> None:
    """Run ``ip``; raise when it fails."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Network:
    """A bridge of this machine, and the hosts on it."""

    def __init__(self) -> None:
        self.key = secrets.token_hex(3)
        subnet = f"10.199.{secrets.randbelow(250) + 1}"
        self.cidr, self.address = f"{subnet}.0/24", f"{subnet}.1"
        self.bridge = f"wb{self.key}"
        self.hosts: list[Host] = []
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def add(self) -> "Host":
        """Return one more host, connected."""
        self.hosts.append(Host(self, len(self.hosts) + 1))
        return self.hosts[-1]

    def remove(self) -> None:
        """End every process on every host and take everything away."""
        for host in self.hosts:
            host.remove()
        ip("link", "del", self.bridge)


class Host:
    """One host: processes that reach nothing but the bridge."""

    def __init__(self, network: Network, number: int) -> None:
        self.number, self.name = number, f"winnow-{network.key}-{number}"
        self._link = f"wv{network.key}{number}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._share: Path | None = None
        ip("netns", "add", self.name)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self._link, "master", network.bridge, "up")
        ip("-n", self.name, "addr", "add", network.address.removesuffix(".1") + f".{number + 1}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", link, "up")

    def start(self, role: str, environment: dict[str, str], log: Path) -> None:
        """Start a process of Winnow on this host, under the host's name."""
        named = ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
        command = [*named, self.name, sys.executable, str(ROOT / "manage.py"), "process", role]
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.processes.append(process)
        if self._share:
            (self._share / "cgroup.procs").write_text(str(process.pid))

    def limit(self, cores: float) -> bool:
        """Give this host's processes, started later, so much of a core; False where that cannot be done."""
        first, second = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
        quota = int(cores * CPU_PERIOD_US)
        if (first / "cpu.cfs_quota_us").exists():
            self._share = first / self.name
            self._share.mkdir()
            (self._share / "cpu.cfs_quota_us").write_text(str(quota))
            return True
        control = second / "cgroup.subtree_control"
        if control.exists() and "cpu" in control.read_text().split():
            self._share = second / self.name
            self._share.mkdir()
            (self._share / "cpu.max").write_text(f"{quota} {CPU_PERIOD_US}")
            return True
        return False

    def cut(self) -> None:
        """Take the cable out: nothing is told to anybody, packets are gone."""
        ip("link", "set", self._link, "down")

    def join(self) -> None:
        """Put the cable back."""
        ip("link", "set", self._link, "up")

    def remove(self) -> None:
        """End its processes and take it away."""
        for process in self.processes:
            process.kill()
            process.wait()
        ip("netns", "del", self.name)
        if self._share:
            self._share.rmdir()


class Front(Deployment):
    """The host with the web process, the learn worker and beat; no other worker."""

    def start(self, port: int = 0) -> None:
        """Start its processes."""
        self.port = port or servers.free_port()
        self.processes = [self._process("web", "--port", str(self.port)), self._process("learn"), self._process("beat")]

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "manage.py"), "process", *arguments]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stderr=log)

    def close(self) -> None:
        """End every process."""
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


class Cluster(Estate):
    """A Winnow on several hosts."""

    network: Network

    def add_host(self, cores: float | None = None) -> Host:
        """Start one more worker host; return once its workers have given a sign of life."""
        host = self.network.add()
        if cores is not None and not host.limit(cores):
            raise SystemExit("this machine does not let a host have a share of a core")
        data = self.directory.parent / host.name
        data.mkdir()
        environment = self.winnow.environment | {"WINNOW_DATA_DIR": str(data)}
        for role in ("pipeline", "explain"):
            host.start(role, environment, data.parent / f"{host.name}.log")
        self.wait_for(lambda: self.alive(host) == 2, 60)
        return host

    def alive(self, host: Host) -> int:
        """Return how many workers of a host have ever given a sign of life."""
        return int(self.ask(f"SELECT count(*) FROM triage_workerheartbeat WHERE name LIKE '{host.name}:%'"))

    def ask(self, query: str) -> Any:
        """Return the one value that a query gives, asked of the server itself."""
        assert self.servers is not None
        return self.servers.ask(query)


@contextlib.contextmanager
def cluster(directory: Path, *, hosts: int = 1, cores: float | None = None, **variables: str) -> Iterator[Cluster]:
    """Run a Winnow that has learned on some hosts; each may use so much of a core."""
    data = directory / "data"
    data.mkdir()
    behave: list[Cluster] = []

    def reply(asked: dict[str, object]) -> Reply:
        return behave[0].behaviour(asked) if behave else good()

    with contextlib.ExitStack() as stack:
        network = Network()
        stack.callback(network.remove)
        llm = stack.enter_context(fake_llm(reply, network.address))
        back = stack.enter_context(backing(directory, network.address, network.cidr))
        told = {
            "LLM_BASE_URL": llm.base_url, "LLM_MODEL": "tiny-1", "LLM_PRICE_INPUT_USD": "0",
            "LLM_PRICE_OUTPUT_USD": "0", "LLM_TIMEOUT_SECONDS": "5", "LLM_SHARE_HOURS": "0", "LEARN_MIN_EVENTS": "600",
            "OUTBOUND_ALLOW": network.cidr, "SECRET_KEY": secrets.token_hex(32),
        }  # fmt: skip
        front = Front(environment_for(data, {}, **(told | variables)) | back.variables, ())
        stack.callback(front.close)
        made = Cluster(front, llm, back, data)
        made.network = network
        behave.append(made)
        for _ in range(hosts):
            made.add_host(cores)
        made.wait_for(lambda: not made.page_fails(), 60)
        if hosts:
            made.learn()
        yield made
