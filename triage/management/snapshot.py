"""A whole Winnow in one directory: the database as of one moment, the model versions, and what they are.

Handed: a directory. Hands on: files and a manifest with the hash of each; and from those a fresh installation. The
database is read in one transaction, so that intake and pages go on meanwhile. SQLite is copied page by page with its
own backup interface; of PostgreSQL each table is written with ``COPY``, so that neither ``pg_dump`` nor its version
matters. Restoring builds the tables as they were, fills them, and migrates on to what the code is now.

Not in it: ``SECRET_KEY`` and ``AUDIT_KEY`` (kept apart, or who has the backup has both halves), sessions, and what
Redis holds, which nothing depends on.
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from triage import hooks, partitions
from triage.management.operator import at_the_shell
from triage.models import ModelVersion, RawBatch, User

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE_FILE = "database.sqlite3"
#: People log in again.
SESSIONS = frozenset({"django_session", "triage_session"})
LEFT_OUT = SESSIONS | {"django_migrations"}
BLOCK = 2**20


class SnapshotError(Exception):
    """It cannot be made, or cannot be used here; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a snapshot holds, for whoever made it or is about to use it."""

    directory: Path
    vendor: str
    made_at: str
    files: int
    total_bytes: int
    counts: dict[str, int]


def make(directory: Path) -> Contents:
    """Write a snapshot into a directory that is empty or not there yet. Raises :class:`SnapshotError`."""
    if directory.exists() and any(directory.iterdir()):
        raise SnapshotError(f"{directory} is not empty; each backup has a directory of its own")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    hooks.operation(hooks.Operation("backup.made", at_the_shell(), {"directory": str(directory)}))
    made_at = timezone.now()
    told = _copy_out(directory) if connection.vendor == "postgresql" else _copy_sqlite(directory)
    _copy_models(directory / "models", told["versions"])
    manifest = {"format": FORMAT, "vendor": connection.vendor, "made_at": made_at.isoformat(), **told}
    manifest["files"] = dict(_hashes(directory))
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return _contents(directory, manifest)


def read(directory: Path) -> tuple[Contents, dict[str, Any]]:
    """Return what a snapshot holds, after holding every file against its hash. Raises :class:`SnapshotError`."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        named = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{directory} holds no backup: {error}") from error
    if manifest.get("format") != FORMAT:
        raise SnapshotError(f"the backup is of format {manifest.get('format')}, this Winnow reads {FORMAT}")
    found = dict(_hashes(directory))
    for name in sorted(named.keys() | found.keys()):
        if named.get(name) != found.get(name):
            what = (
                "is missing" if name not in found else "is not in the manifest" if name not in named else "was changed"
            )
            raise SnapshotError(f"{name} {what}")
    return _contents(directory, manifest), manifest


def restore(directory: Path) -> Contents:
    """Fill a fresh installation from a snapshot. Raises :class:`SnapshotError` before anything is changed."""
    contents, manifest = read(directory)
    if contents.vendor != connection.vendor:
        raise SnapshotError(f"the backup is of {contents.vendor}; this Winnow runs on {connection.vendor}")
    unknown = _unknown_migrations(manifest["migrations"])
    if unknown:
        raise SnapshotError(f"the backup is of a newer Winnow: it has {unknown[0]}, which this one does not know")
    _refuse_unless_fresh(manifest["versions"])
    _copy_models_back(directory / "models", manifest["versions"])
    if connection.vendor == "postgresql":
        _copy_in(directory, manifest)
    else:
        _replace_sqlite(directory / SQLITE_FILE)
    call_command("migrate", interactive=False, verbosity=0)
    hooks.operation(hooks.Operation("backup.restored", at_the_shell(), {"made_at": contents.made_at}))
    return contents


def _contents(directory: Path, manifest: dict[str, Any]) -> Contents:
    sizes = [(directory / name).stat().st_size for name in manifest["files"]]
    return Contents(directory, manifest["vendor"], manifest["made_at"], len(sizes), sum(sizes), manifest["counts"])


def _hashes(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield every file but the manifest with its SHA-256."""
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()


def _tables() -> list[str]:
    """Return the tables of every installed app, in the order of their names."""
    return sorted(set(connection.introspection.django_table_names(only_existing=True)) - LEFT_OUT)


def _applied() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _unknown_migrations(names: Iterable[str]) -> list[str]:
    known = MigrationExecutor(connection).loader.disk_migrations
    return sorted(name for name in names if tuple(name.split(".", 1)) not in known)


def _copy_out(directory: Path) -> dict[str, Any]:
    """Write each table of PostgreSQL as a compressed COPY text, all as of the same moment."""
    counts: dict[str, int] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        told = {"migrations": _applied(), "versions": _versions(), "days": partitions.days_there()}
        for table in _tables():
            columns = ", ".join(f'"{name}"' for name in _columns(cursor, table))
            path = directory / f"{table}.copy.zst"
            with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as packed:
                with cursor.copy(f'COPY (SELECT {columns} FROM "{table}") TO STDOUT') as rows:  # noqa: S608 - our own names
                    for block in rows:
                        packed.write(block)
                counts[table] = cursor.rowcount
    return told | {"counts": counts}


def _columns(cursor: Any, table: str) -> list[str]:
    """Return a table's columns by name, without those that the database works out itself."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' ORDER BY attname",
        [f'"{table}"'],
    )
    return [name for (name,) in cursor.fetchall()]


def _versions() -> list[str]:
    """Return the model versions whose folders belong to the database."""
    return sorted(ModelVersion.objects.values_list("version", flat=True))


def _copy_sqlite(directory: Path) -> dict[str, Any]:
    """Copy the database page by page; writers go on, and SQLite begins anew where they overtake it."""
    connection.ensure_connection()
    assert connection.connection is not None
    target = sqlite3.connect(directory / SQLITE_FILE)
    try:
        connection.connection.backup(target, pages=4096, sleep=0.005)
        for table in SESSIONS & set(connection.introspection.table_names()):
            target.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables
        target.commit()
        target.execute("PRAGMA journal_mode=DELETE")  # one file, that reading leaves alone
        target.execute("VACUUM")
        target.execute("PRAGMA journal_mode=DELETE")  # one file that reading does not add to
        counts = {table: target.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in _tables()}  # noqa: S608 - our own tables
        versions = sorted(name for (name,) in target.execute(f"SELECT version FROM {ModelVersion._meta.db_table}"))  # noqa: S608
        applied = sorted(f"{app}.{name}" for app, name in target.execute("SELECT app, name FROM django_migrations"))
    finally:
        target.close()
    return {"migrations": applied, "versions": versions, "counts": counts}


def _copy_models(directory: Path, versions: Iterable[str]) -> None:
    """Copy the folders of the versions; they are written once, so that nobody changes them meanwhile."""
    directory.mkdir()
    for version in versions:
        folder = settings.MODELS_DIR / version
        if not folder.is_dir():
            raise SnapshotError(f"the folder of model version {version} is not in {settings.MODELS_DIR}")
        shutil.copytree(folder, directory / version)


def _refuse_unless_fresh(versions: Iterable[str]) -> None:
    """Raise unless nobody has used this installation yet."""
    existing = set(connection.introspection.table_names())
    for model in (User, RawBatch, ModelVersion):
        if model._meta.db_table in existing and model._default_manager.exists():
            raise SnapshotError(
                f"this installation is in use ({model._meta.verbose_name_plural}); restore into a fresh one"
            )
    taken = [version for version in versions if (settings.MODELS_DIR / version).exists()]
    if taken:
        raise SnapshotError(f"{settings.MODELS_DIR / taken[0]} is there already; restore into an empty directory")


def _copy_models_back(source: Path, versions: Iterable[str]) -> None:
    settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    for version in versions:
        shutil.copytree(source / version, settings.MODELS_DIR / version)


def _replace_sqlite(source: Path) -> None:
    """Fill the database from the copied one, page by page: the file, its rights and its journal stay ours."""
    connection.ensure_connection()
    assert connection.connection is not None
    with sqlite3.connect(f"file:{source}?mode=ro&immutable=1", uri=True) as copied:
        copied.backup(connection.connection)
    connection.close()


def _copy_in(directory: Path, manifest: dict[str, Any]) -> None:
    """Build the tables as they were, then fill all of them in one transaction."""
    _migrate_to(manifest["migrations"])
    partitions.ensure(manifest["days"])
    tables = [path.name.removesuffix(".copy.zst") for path in sorted(directory.glob("*.copy.zst"))]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE {} CASCADE".format(", ".join(f'"{table}"' for table in tables)))
        for table in tables:
            columns = ", ".join(f'"{name}"' for name in _columns(cursor, table))
            with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as rows:
                for block in _unpacked(directory / f"{table}.copy.zst"):
                    rows.write(block)
        models = [model for model in apps.get_models(include_auto_created=True) if model._meta.db_table in tables]
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def _migrate_to(names: Iterable[str]) -> None:
    """Apply exactly these migrations to an empty database, by naming the last ones of each app."""
    executor = MigrationExecutor(connection)
    wanted = {(app, name) for app, _, name in (one.partition(".") for one in names)}
    nodes = executor.loader.graph.node_map
    executor.migrate(sorted(key for key in wanted if not any(child.key in wanted for child in _of_its_app(nodes[key]))))


def _of_its_app(node: Any) -> list[Any]:
    return [child for child in node.children if child.key[0] == node.key[0]]


def _unpacked(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as unpacked:
        while block := unpacked.read(BLOCK):
            yield block
