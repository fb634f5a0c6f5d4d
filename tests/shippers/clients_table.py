"""The real clients that the tests start, how each is started, and what is needed to have it.

Handed: a port, a token, a marker and a number of records. Hands on: a command that sends records
``MARKER-0`` to ``MARKER-n``. A client that is not installed says what to install.
"""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NODE_MODULES = HERE / "node" / "node_modules"
RSYSLOG = ROOT / ".venv" / "shippers" / "rsyslog"
RSYSLOG_MODULES = RSYSLOG / "usr/lib/x86_64-linux-gnu/rsyslog"


@dataclass(frozen=True)
class Job:
    """What one run of a client is to send, and a directory of its own."""

    port: int
    token: str
    marker: str
    count: int
    directory: Path

    @property
    def arguments(self) -> list[str]:
        """Return ``PORT TOKEN MARKER COUNT``."""
        return [str(self.port), self.token, self.marker, str(self.count)]


@dataclass(frozen=True)
class Client:
    """One client. ``path`` is a part of the path it delivers to; ``daemon`` = runs until it is stopped.

    ``retries``: it sends again what Winnow's own "busy" refused.
    """

    name: str
    path: str
    command: Callable[[Job], list[str]]
    missing: Callable[[], str]
    retries: bool = False
    daemon: bool = False


def _python(script: str, module: str, path: str, *, retries: bool = False) -> Client:
    def missing() -> str:
        return "" if importlib.util.find_spec(module) else f"pip install -r requirements-dev.txt ({module})"

    def command(job: Job) -> list[str]:
        return [sys.executable, str(HERE / "clients" / f"{script}_client.py"), *job.arguments]

    return Client(f"PyPI {script.replace('_', '-')}", path, command, missing, retries)


def _node(script: str, package: str, path: str, *more: str, retries: bool = False) -> Client:
    def missing() -> str:
        if not shutil.which("node"):
            return "Node.js is not installed"
        return "" if (NODE_MODULES / package).is_dir() else "npm ci --ignore-scripts in tests/shippers/node"

    def command(job: Job) -> list[str]:
        return ["node", str(HERE / "node" / f"{script}.js"), *job.arguments, *more]

    return Client(f"npm {package}", path, command, missing, retries)


def _syslog_ng(name: str, path: str, destination: str) -> Client:
    def missing() -> str:
        return "" if shutil.which("syslog-ng") else "apt install syslog-ng-core syslog-ng-mod-http syslog-ng-scl"

    def command(job: Job) -> list[str]:
        source = job.directory / "records.log"
        source.write_text("".join(f"{job.marker}-{number}\n" for number in range(job.count)))
        values = {"port": job.port, "token": job.token, "source": source}
        text = (HERE / "syslog-ng" / destination).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (job.directory / "syslog-ng.conf").write_text(text)
        files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
        named = [word for flag, file in files.items() for word in (flag, str(job.directory / file))]
        return ["syslog-ng", "-F", "--no-caps", *named]

    return Client(name, path, command, missing, retries=True, daemon=True)


def _rsyslog() -> Client:
    def missing() -> str:
        return "" if RSYSLOG_MODULES.is_dir() else "tests/shippers/install.sh unpacks rsyslog and rsyslog-elasticsearch"

    def command(job: Job) -> list[str]:
        source = job.directory / "records.log"
        source.write_text("".join(f"{job.marker}-{number}\n" for number in range(job.count)))
        text = (HERE / "rsyslog" / "omelasticsearch.conf").read_text()
        values = {"port": job.port, "token": job.token, "source": source, "directory": job.directory}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (job.directory / "rsyslog.conf").write_text(text)
        binary = str(RSYSLOG / "usr/sbin/rsyslogd")
        pid = str(job.directory / "pid")
        return [binary, "-n", "-i", pid, "-M", str(RSYSLOG_MODULES), "-f", str(job.directory / "rsyslog.conf")]

    return Client("rsyslog omelasticsearch", "_bulk", command, missing, daemon=True)


HEC, BULK, OTLP, LOKI = "/services/collector", "_bulk", "/v1/logs", "/loki/"
CLIENTS = (
    _syslog_ng("syslog-ng http() to HEC", HEC, "hec.conf"),
    _syslog_ng("syslog-ng elasticsearch-http()", BULK, "elasticsearch.conf"),
    _rsyslog(),
    _python("splunk_handler", "splunk_handler", HEC, retries=True),
    _python("splunk_hec_handler", "splunk_hec_handler", HEC),
    _python("elasticsearch", "elasticsearch", BULK, retries=True),
    _python("opensearch", "opensearchpy", BULK, retries=True),
    _python("opentelemetry", "opentelemetry.exporter", OTLP, retries=True),
    _python("logging_loki", "logging_loki", LOKI),
    _node("splunk-logging", "splunk-logging", HEC),
    _node("winston-splunk", "winston-splunk-httplogger", HEC),
    _node("winston-loki", "winston-loki", LOKI),
    _node("pino-loki", "pino-loki", LOKI),
    _node("pino-elasticsearch", "pino-elasticsearch", BULK),
    _node("opentelemetry", "@opentelemetry/exporter-logs-otlp-http", OTLP, "http", retries=True),
    _node("opentelemetry", "@opentelemetry/exporter-logs-otlp-proto", OTLP, "proto", retries=True),
)
