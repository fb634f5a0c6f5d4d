"""Start the processes of an embedded Winnow, restart the ones that die, and stop them all in time.

Handed: a :class:`Plan`. The listening socket is made once, here, and handed to the web processes, so that
a web process that dies and comes back refuses no connection in between.
"""

import ctypes
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings

logger = logging.getLogger(__name__)

#: Children get this long to stop by themselves; then they are killed. Both together stay under 10 s.
STOP_SECONDS = 8.0
READY_SECONDS = 90.0
#: A child that dies sooner than this after its start waits longer before each restart.
QUICK_DEATH_SECONDS = 5.0
MAX_RESTART_DELAY = 10.0
PR_SET_PDEATHSIG = 1
#: Celery warns root about unpickling; no worker here accepts anything but JSON.
QUIET = "ignore:You're running the worker with superuser privileges"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    host: str
    port: int
    web_workers: int = 1
    pipeline_workers: int = 1
    explain_workers: int = 1


@dataclass(slots=True)
class Child:
    """One process: how to start it, and how it is doing."""

    name: str
    command: list[str]
    role: str = ""
    restart: bool = True
    pass_fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_after: float = 0.0
    delay: float = 0.0


def _die_with_parent() -> None:
    """Ask Linux to end this child when the supervisor is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound, listening, inheritable socket; raise ``SystemExit`` when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise SystemExit(f"cannot listen on {host}:{port}: {error.strerror}. Choose another with --port.") from error
    sock.listen(2048)
    sock.set_inheritable(True)
    return sock


def python_path() -> str:
    """Return the module path of children: they must find Winnow whatever directory ``up`` was called from."""
    return os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")]))


def celery_command(*arguments: str) -> list[str]:
    """Return the command line of a Celery process of this installation."""
    return [sys.executable, "-W", QUIET, "-m", "celery", "--quiet", "-A", "triage.celery", *arguments]


def worker_child(role: str, number: int) -> Child:
    """Return a worker slot: one process, one task at a time, on the queue of its role."""
    name = f"{role}-{number}"
    options = ["--pool", "solo", "-Q", role, "-n", f"{name}@%h", "--loglevel", "WARNING"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {"WINNOW_WORKER": f"{socket.gethostname()}:{name}", "WINNOW_ROLE": role}
    return Child(name, celery_command("worker", *options, *quiet), role=role, environment=environment)


def web_child(number: int, descriptor: int) -> Child:
    """Return a web process on a listening socket."""
    command = [sys.executable, "-m", "triage.management.web", str(descriptor)]
    return Child(f"web-{number}", command, role="web", pass_fds=(descriptor,))


def beat_child() -> Child:
    """Return the clock that sends the regular messages; two of them do no harm."""
    command = celery_command("beat", "--scheduler", "celery.beat:Scheduler", "--pidfile=", "--loglevel", "WARNING")
    return Child("beat", command, role="beat")


def children(plan: Plan, sock: socket.socket) -> list[Child]:
    """Return every child of a plan."""
    return [
        *(web_child(number, sock.fileno()) for number in range(plan.web_workers)),
        *(worker_child("pipeline", number) for number in range(plan.pipeline_workers)),
        *(worker_child("explain", number) for number in range(plan.explain_workers)),
        worker_child("learn", 0),
        beat_child(),
    ]


class Supervisor:
    """Owns the children from start to stop."""

    def __init__(self, plan: Plan) -> None:
        self._socket = listening_socket(plan.host, plan.port)
        self._children = children(plan, self._socket)
        self._stopping = False
        host = f"[{plan.host}]" if ":" in plan.host else plan.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"

    def _own_url(self) -> str:
        """Return the address by which children reach the web processes: "all addresses" is none."""
        return self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

    def start(self) -> None:
        """Start every child; from now on SIGTERM and SIGINT end :meth:`watch`."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        for child in self._children:
            self._spawn(child)

    def add(self, child: Child) -> None:
        """Start one more child."""
        self._children.append(child)
        self._spawn(child)

    def _ask_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _spawn(self, child: Child) -> None:
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(  # noqa: S603 - our own command lines
            child.command,
            env={"CANARY_URL": self._own_url(), **os.environ, "PYTHONPATH": python_path(), **child.environment},
            pass_fds=child.pass_fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run in the supervisor
        )

    def wait_until_ready(self) -> bool:
        """Wait for ``/readyz`` to say 200 while keeping children alive; False when asked to stop."""
        deadline = time.monotonic() + READY_SECONDS
        problem = "no answer yet"
        while not self._stopping:
            problem = readiness_problem(self.url)
            if not problem:
                return True
            if time.monotonic() > deadline:
                raise SystemExit(f"not ready after {READY_SECONDS:.0f} s: {problem}")
            self._revive()
            time.sleep(0.1)
        return False

    def watch(self) -> None:
        """Restart children that die, until asked to stop."""
        while not self._stopping:
            self._revive()
            time.sleep(0.2)

    def _revive(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._note_death(child, now)
            if child.process is None and child.restart and now >= child.start_after:
                self._spawn(child)

    def _note_death(self, child: Child, now: float) -> None:
        code = child.process.returncode if child.process else None
        child.process = None
        quick = now - child.started_at < QUICK_DEATH_SECONDS
        child.delay = min(max(child.delay * 2, 0.5), MAX_RESTART_DELAY) if quick else 0.0
        child.start_after = now + child.delay
        if child.restart:
            logger.error("%s ended with %s; starting it again in %.1f s", child.name, code, child.delay)

    def stop(self) -> None:
        """Ask every child to stop, wait, and kill what is left: what a killed worker held is taken up again."""
        alive = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in alive:
            try:
                process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(1.0)
        self._socket.close()


def readiness_problem(url: str) -> str:
    """Return why ``/readyz`` is not 200, or an empty string."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:  # noqa: S310 - our own address
            response.read()
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return json.dumps(error.read().decode("utf-8", "replace"))
    except OSError as error:
        return str(error)
