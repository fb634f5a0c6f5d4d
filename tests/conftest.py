"""Fixtures every test can use, and a closing summary that says loudly what did not run.

Isolation from the developer's own data happens in ``tests/settings.py``; sockets are limited to loopback by
the options in ``pyproject.toml``.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

if TYPE_CHECKING:
    from triage.models import User

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"

hypothesis_settings.register_profile(
    "winnow", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("ci", parent=hypothesis_settings.get_profile("winnow"), derandomize=True)
hypothesis_settings.register_profile("fast", parent=hypothesis_settings.get_profile("winnow"), max_examples=8)
hypothesis_settings.load_profile(os.environ.get("WINNOW_TEST_PROFILE") or ("ci" if os.environ.get("CI") else "winnow"))


def running_backend() -> str:
    """Return ``sqlite`` or ``postgresql``: the database this run tests on."""
    return str(settings.DATABASES["default"]["ENGINE"]).rsplit(".", 1)[-1].replace("sqlite3", "sqlite")


def pytest_report_header() -> str:
    """Name what this run tests on."""
    broker = "Redis" if settings.REDIS_URL else "files"
    return f"winnow: database {running_backend()}, broker {broker}, data in {settings.DATA_DIR}"


#: Folders of tests of pure rooms, which never meet a database.
PURE = tuple(
    ROOT / "tests" / "triage" / room
    for room in ("parsers", "receivers", "features", "detectors", "learning", "registry", "explainers")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What never meets a database is tested once, not again on PostgreSQL and Redis."""
    for item in items:
        if any(room in item.path.parents for room in PURE):
            item.add_marker(pytest.mark.once)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Repeat skipped tests, grouped by reason, where nobody overlooks them."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons: Counter[str] = Counter()
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if reasons:
        terminalreporter.write_sep("!", f"NOT TESTED HERE ({running_backend()})", red=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:4d} skipped: {reason}", red=True)


@pytest.fixture(scope="session")
def backend() -> str:
    """The database under test: ``sqlite`` or ``postgresql``."""
    return running_backend()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The labelled logs kept outside the project; skips where they are not."""
    configured = os.environ.get("WINNOW_SHARED_DATA", "")
    directory = Path(configured) if configured else ROOT.parent / "shared" / "data"
    if not directory.is_dir():
        pytest.skip(f"no labelled logs at {directory}; name their directory in WINNOW_SHARED_DATA")
    return directory


@pytest.fixture(scope="session")
def intake_checker() -> Path:
    """The black-box checker of the intake kept outside the project; skips where it is not."""
    configured = os.environ.get("WINNOW_INTAKE_CHECKER", "")
    script = Path(configured) if configured else ROOT.parent / "shared" / "checks" / "ingest_conformance.py"
    if not script.is_file():
        pytest.skip(f"no intake checker at {script}; name it in WINNOW_INTAKE_CHECKER")
    return script


@pytest.fixture
def make_user(db: None) -> "Callable[..., User]":
    """Create a person: ``make_user("erin", Role.LEAD)``; the password is ``conftest.PASSWORD``."""
    from triage.models import User

    def create(username: str, role: str, **fields: Any) -> User:
        return User.objects.create_user(username, password=PASSWORD, role=role, **fields)

    return create


@pytest.fixture
def alice(make_user: "Callable[..., User]") -> "User":
    """An analyst."""
    return make_user("alice", "analyst")


@pytest.fixture
def bob(make_user: "Callable[..., User]") -> "User":
    """A viewer: may look, may not decide."""
    return make_user("bob", "viewer")


@pytest.fixture
def charlie(make_user: "Callable[..., User]") -> "User":
    """A lead."""
    return make_user("charlie", "lead")


@pytest.fixture
def dana(make_user: "Callable[..., User]") -> "User":
    """An administrator."""
    return make_user("dana", "admin", is_staff=True, is_superuser=True)


@pytest.fixture
def source_token(db: None) -> str:
    """The intake token of a source called ``edge``."""
    from triage.authentication import hash_token, new_token
    from triage.models import Source

    token = new_token()
    Source.objects.create(name="edge", token_hash=hash_token(token))
    return token
