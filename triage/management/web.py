"""The web process: uvicorn on a listening socket that the supervisor made.

Handed: the number of an inherited file descriptor. uvicorn's own ``--fd`` takes any descriptor for a Unix
socket, so that small replies would wait 40 ms for a delayed acknowledgement (no ``TCP_NODELAY``); handing the
real socket over avoids that.
"""

import resource
import socket
import sys

import uvicorn

from triage.management.connection import BoundedConnection
from triage.settings import TRUSTED_PROXIES

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 75
MAX_FILES = 16_384
#: A sender that takes no byte of its reply for this long is given up (milliseconds).
UNREAD_MILLISECONDS = 60_000


def main(descriptor: int) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        "triage.asgi:application",
        http=BoundedConnection,
        ws="none",
        loop="uvloop",
        access_log=False,  # a request line may carry what must not be logged
        log_level="warning",
        server_header=False,
        forwarded_allow_ips=TRUSTED_PROXIES,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    listener = socket.socket(fileno=descriptor)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    allow_many_files()
    uvicorn.Server(config).run(sockets=[listener])


def allow_many_files() -> None:
    """Raise the limit on open files, which is often 1,024 and counts every connection, as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]))
