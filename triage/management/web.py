"""The web process: uvicorn on a listening socket that the supervisor made.

Handed: the number of an inherited file descriptor. uvicorn's own ``--fd`` takes any descriptor for a Unix
socket, so that small replies would wait 40 ms for a delayed acknowledgement (no ``TCP_NODELAY``); handing the
real socket over avoids that.
"""

import socket
import sys

import uvicorn

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 75


def main(descriptor: int) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        "triage.asgi:application",
        http="httptools",
        loop="uvloop",
        access_log=False,  # a request line may carry what must not be logged
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
