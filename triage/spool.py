"""The doorbell of an embedded Winnow: Celery messages as files, each of which appears whole or not at all.

Handed: messages. Hands on: files in a folder. kombu's own transport opens a message's file before it writes to it,
and a worker that looks in between takes an empty message and dies of it.
"""

import json
import os
import uuid
from pathlib import Path
from time import monotonic
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem

SCHEME = "spool"


class Channel(filesystem.Channel):
    """A channel whose messages are written aside and then renamed."""

    # kombu's own two classes disagree about the names of these.
    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        aside = folder / f".{name}.part"
        try:
            aside.write_text(json.dumps(payload, default=str))
            os.replace(aside, folder / name)
        except OSError as error:
            raise ChannelError(f"cannot add {name} to {folder}") from error


class Transport(filesystem.Transport):
    """kombu's filesystem transport with that channel."""

    Channel = Channel
    driver_type = driver_name = SCHEME


TRANSPORT_ALIASES[SCHEME] = "triage.spool:Transport"
