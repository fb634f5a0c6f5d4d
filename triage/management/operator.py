"""Who runs a command: the operating system's name of the person at the shell, for the audit trail."""

import getpass
import os

from triage.hooks import Decider


def at_the_shell() -> Decider:
    """Return the person at the shell; in a container without a name for them, their number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Decider(f"{name} (manage.py)"[:150])
