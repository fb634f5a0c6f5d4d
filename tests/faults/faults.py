"""The faults, each as something that is done to a running estate while records come in, and is over when it returns.

A fault that lasts says whether the page was red meanwhile, and after how many seconds.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.estate import Estate, every, in_background
from tests.triage.explainers.fake_llm import Reply, good

RED_WITHIN = 60.0
EMBEDDED, SERVERS = "embedded", "servers"
BOTH = (EMBEDDED, SERVERS)
#: Every task that Celery carries messages for.
TASKS = (
    "triage.tasks.process_pending", "triage.tasks.score_unscored", "triage.tasks.sweep", "alerts.tasks.group_flagged",
    "alerts.tasks.explain_pending", "triage.tasks.watch_drift", "triage.tasks.judge_shadow", "alerts.tasks.rank",
    "alerts.tasks.seal_audit", "triage.tasks.expire",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``run`` does it and returns the seconds until the page was red (None: it was not, or need not be)."""

    name: str
    run: Callable[[Estate], float | None]
    ways: tuple[str, ...] = BOTH
    is_red: bool = False
    #: How long explanations may take to come after it (seconds): a failed try is repeated after 30 and 120 s.
    patience: float = 60.0


def killed(role: str, times: int = 4) -> Callable[[Estate], None]:
    """SIGKILL every process of a role, again and again; the supervisor starts them anew."""

    def run(one: Estate) -> None:
        hit: list[int] = []
        every(1.0, lambda: hit.append(one.signal(role, signal.SIGKILL)), times=times)
        assert sum(hit) >= 2, f"no {role} to kill"

    return run


def frozen(role: str) -> Callable[[Estate], float | None]:
    """Stop every process of a role without ending it: nobody starts another."""

    def run(one: Estate) -> float | None:
        one.signal(role, signal.SIGSTOP)
        try:
            return one.red_within(RED_WITHIN)
        finally:
            one.signal(role, signal.SIGCONT)

    return run


def redis_killed(one: Estate) -> float | None:
    """Redis dies, stays away for a while, and comes back empty."""
    assert one.servers is not None
    one.servers.redis.kill()
    red = one.red_within(RED_WITHIN)
    time.sleep(3.0)
    one.servers.redis.start()
    one.servers.wait_for_redis(one.servers.redis, one.servers.redis_url)
    return red


def redis_flushed(one: Estate) -> None:
    """Redis forgets everything, several times."""
    import redis

    assert one.servers is not None
    with redis.Redis.from_url(one.servers.redis_url.rsplit("/", 1)[0] + "/1") as client:
        every(1.0, client.flushall, times=4)


def postgresql_killed(one: Estate) -> float | None:
    """PostgreSQL and all its processes die, stay away for a while, and recover from the log."""
    assert one.servers is not None
    one.servers.postgresql.kill()
    red = one.red_within(RED_WITHIN)
    time.sleep(3.0)
    one.servers.postgresql.start()
    one.servers.wait_for_postgresql(one.servers.postgresql)
    return red


def llm(reply: Callable[[], Reply], seconds: float = 8.0) -> Callable[[Estate], None]:
    """The language model's endpoint answers badly for a while, then well again."""

    def run(one: Estate) -> None:
        one.behaviour = lambda _: reply()
        time.sleep(seconds)
        one.behaviour = lambda _: good()

    return run


def llm_down(one: Estate) -> None:
    """Nobody listens at the language model's address; then somebody does again."""
    address = one.llm.server.server_address
    one.llm.server.shutdown()
    one.llm.server.socket.close()
    time.sleep(6.0)
    again = socket.create_server(("127.0.0.1", int(address[1])))
    one.llm.server.socket = again
    in_background(lambda: one.llm.server.serve_forever(poll_interval=0.01))


def disk_low(one: Estate) -> float | None:
    """The disk has less room than is kept free."""
    with filled(one.directory, leave=4 * 2**20):
        return one.red_within(RED_WITHIN)


def disk_full(one: Estate) -> float | None:
    """There is no room at all: even the database's own log cannot grow."""
    with filled(one.directory, leave=0):
        red = one.red_within(RED_WITHIN)
        time.sleep(3.0)
        return red


def postgresql_disk_full(one: Estate) -> float | None:
    """PostgreSQL's disk has no room: it gives up, or refuses to write; then there is room and it is started again."""
    assert one.servers is not None
    server = one.servers.postgresql
    with filled(one.directory.parent / "postgresql", leave=0):
        red = one.red_within(RED_WITHIN)
        time.sleep(3.0)
    assert server.process is not None
    if server.process.poll() is not None:
        server.start()
    one.servers.wait_for_postgresql(server)
    return red


@contextlib.contextmanager
def filled(directory: Path, *, leave: int) -> Iterator[None]:
    """Take what is free where a directory is, but for some bytes, and give it back."""
    ballast = directory / "ballast"
    block = b"\0" * 2**16
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while shutil.disk_usage(directory).free > leave:
            file.write(block[: max(1, min(len(block), shutil.disk_usage(directory).free - leave))])
            file.flush()
    try:
        yield
    finally:
        ballast.unlink()


def doubled(one: Estate) -> None:
    """Every task's message comes again, ten times a second."""
    code = (
        "import time; from triage.celery import app\n"
        f"for _ in range(60):\n    [app.send_task(name) for name in {TASKS!r}]\n    time.sleep(0.1)\n"
    )
    one.winnow.manage("shell", "--no-imports", "-c", code)


def clock_jump(one: Estate) -> None:
    """The clock of every process goes two hours ahead, back, and two hours behind."""
    clock = one.directory / "clock"
    for hours in (2, 0, -2, 0):
        clock.write_text(f"{hours * 3600}\n")
        time.sleep(3.0)


def everything_killed(one: Estate) -> None:
    """The supervisor and every process die at once, as when the power goes, and are started again."""
    winnow = one.winnow
    port = winnow.port
    pids = [winnow.process.pid, *winnow.children()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    winnow.process.wait(10)
    assert winnow.process.stdout is not None
    winnow.process.stdout.close()
    time.sleep(1.0)
    winnow.start(port=port)


FAULTS = (
    Fault("web killed", killed("web")),
    Fault("pipeline workers killed", killed("pipeline")),
    Fault("explain worker killed", killed("explain"), patience=150.0),
    Fault("learn worker killed", killed("learn")),
    Fault("beat killed", killed("beat")),
    Fault("everything killed at once", everything_killed, patience=150.0),
    Fault("every message again, ten times a second", doubled),
    Fault("pipeline workers frozen", frozen("pipeline"), is_red=True),
    Fault("explain worker frozen", frozen("explain"), is_red=True, patience=150.0),
    Fault("Redis flushed", redis_flushed, (SERVERS,)),
    Fault("Redis killed, back empty", redis_killed, (SERVERS,), is_red=True),
    Fault("PostgreSQL killed, recovers", postgresql_killed, (SERVERS,), is_red=True),
    Fault("language model down", llm_down, patience=240.0),
    Fault("language model slow", llm(lambda: Reply(good().body, delay=5.0)), patience=240.0),
    Fault("language model sends garbage", llm(lambda: Reply("<html>no</html>", content_type="text/html"))),
    Fault("language model half open", llm(lambda: Reply(good().body, trickle=0.5)), patience=240.0),
    Fault("disk low", disk_low, (EMBEDDED,), is_red=True),
    Fault("disk full", disk_full, (EMBEDDED,), is_red=True),
    Fault("disk of PostgreSQL full", postgresql_disk_full, (SERVERS,), is_red=True),
    Fault("clock jumps by two hours", clock_jump),
)


def settable_clock(directory: Path) -> dict[str, str]:
    """Build ``clock.c`` in a directory; return what a process is told so that its clock is :func:`clock_jump`'s.

    Empty where there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return {}
    library, shift = directory / "clock.so", directory / "clock"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    shift.write_text("0\n")
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}


@contextlib.contextmanager
def small_disk(directory: Path, mib: int) -> Iterator[None]:
    """Mount a file system of some MiB at a directory; needs root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
