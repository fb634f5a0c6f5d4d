"""``manage.py process ROLE``: one process of a deployment, in the foreground, for whoever starts them one by one.

It becomes the process that ``manage.py up`` would start as a child, with the same command line, so that containers,
systemd and a script all run the same thing. It migrates nothing and restarts nothing.
"""

import argparse
import os
import socket
from typing import Any

from django.core.management.base import BaseCommand

from triage.management import supervisor
from triage.management.supervisor import Child

WORKERS = ("pipeline", "explain", "learn")


class Command(BaseCommand):
    """Run one process: web, beat, or a worker of a role."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("role", choices=("web", "beat", *WORKERS))
        parser.add_argument("--host", default="127.0.0.1", help="web only")
        parser.add_argument("--port", type=int, default=8000, help="web only")
        words = "workers only: tells several of a role on one host apart; the same after a restart"
        parser.add_argument("--number", type=int, default=0, help=words)

    def handle(self, *_: Any, role: str, host: str, port: int, number: int, **options: Any) -> None:
        child = _child(role, host, port, number)
        environment = {**os.environ, "PYTHONPATH": supervisor.python_path(), **child.environment}
        os.execve(child.command[0], child.command, environment)  # noqa: S606 - our own command line


def _child(role: str, host: str, port: int, number: int) -> Child:
    if role in WORKERS:
        return supervisor.worker_child(role, number)
    if role == "beat":
        return supervisor.beat_child()
    listener: socket.socket = supervisor.listening_socket(host, port)
    return supervisor.web_child(0, listener.detach())
