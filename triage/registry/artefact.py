"""The only door to stored models: write them once, and open them only when they are what the ledger says.

Handed: a detector's state tree, or a version and the sha256 the ledger holds for it. Hands on: the sha256,
or the state. skops keeps code from running; the rest is checked here, because a tampered node index would
read out of bounds: hash before opening, literal types, bounds of every tree.
"""

import hashlib
import io
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import skops.io
from sklearn.ensemble import IsolationForest

from triage.registry.sealed import FORMAT, MANIFEST, MAX_BYTES, PIPELINE, ArtefactError, folder_of, read_sealed

MAX_INFLATED_BYTES = 512 << 20
TRUSTED = ("sklearn.tree._tree.Tree",)
#: One at a time: NumPy reads a header with Python's own parser, which in some 3.11 fails when two threads enter it.
_OPENING = threading.Lock()
#: The time every zip entry carries, so that the same state gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def to_bytes(state: Mapping[str, Any]) -> bytes:
    """Return the state as skops bytes; the same state always gives the same bytes."""
    written = zipfile.ZipFile(io.BytesIO(skops.io.dumps(dict(state))))
    names = {name: f"{i}.npy" for i, name in enumerate(n for n in written.namelist() if n != "schema.json")}
    schema = orjson.loads(written.read("schema.json"))
    _settle_ids(schema, {}, names)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(zipfile.ZipInfo("schema.json", _ZIP_TIME), orjson.dumps(schema), zipfile.ZIP_DEFLATED)
        for old, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, _ZIP_TIME), written.read(old), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _settle_ids(node: Any, ids: dict[int, int], names: Mapping[str, str]) -> None:
    """Replace memory addresses and random file names of a skops schema by numbers in order, in place."""
    if isinstance(node, list):
        for child in node:
            _settle_ids(child, ids, names)
    elif isinstance(node, dict):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
        if isinstance(node.get("file"), str) and node["file"] in names:
            node["file"] = names[node["file"]]
        for child in node.values():
            _settle_ids(child, ids, names)


def save(models_dir: Path, version: str, state: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Write a version's folder once, whole or not at all; return the sha256 of its pipeline.

    Raises :class:`ArtefactError` when the version exists.
    """
    target = folder_of(models_dir, version)
    if target.exists():
        raise ArtefactError(f"version {version} exists and is never written again")
    body = to_bytes(state)
    if len(body) > MAX_BYTES:
        raise ArtefactError(f"version {version} has {len(body):,} bytes, more than {MAX_BYTES:,}")
    sha256 = hashlib.sha256(body).hexdigest()
    about = {**manifest, "format": FORMAT, "version": version, "artefact_sha256": sha256}
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    try:
        _write(scratch / PIPELINE, body)
        _write(scratch / MANIFEST, orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))
        scratch.chmod(0o755)
        _sync(scratch)
        scratch.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise ArtefactError(f"version {version} could not be written: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return sha256


def _write(path: Path, body: bytes) -> None:
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load(models_dir: Path, version: str, expected_sha256: str) -> Mapping[str, Any]:
    """Return a version's state; raise :class:`ArtefactError` when anything about it is not as it should be."""
    return open_bytes(read_sealed(models_dir, version, expected_sha256), version)


def open_bytes(body: bytes, version: str) -> Mapping[str, Any]:
    """Open verified bytes with a literal allow-list of types, then check the bounds of every tree."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            inflated = sum(entry.file_size for entry in archive.infolist())
        if inflated > MAX_INFLATED_BYTES:
            raise ArtefactError(f"version {version} inflates to {inflated:,} bytes")
        with _OPENING:
            unknown = set(skops.io.get_untrusted_types(data=body)) - set(TRUSTED)
            if unknown:
                raise ArtefactError(f"version {version} holds types that are not allowed: {', '.join(sorted(unknown))}")
            state = skops.io.loads(body, trusted=list(TRUSTED))
    except ArtefactError:
        raise
    except Exception as error:
        raise ArtefactError(f"version {version} cannot be opened: {type(error).__name__}: {error}") from error
    if not isinstance(state, dict):
        raise ArtefactError(f"version {version} does not hold a state")
    check_tree(state, version)
    return state


def check_tree(node: Any, version: str) -> None:
    """Walk a state; raise :class:`ArtefactError` for a forest that would read out of bounds."""
    if isinstance(node, dict):
        for child in node.values():
            check_tree(child, version)
    elif isinstance(node, list):
        for child in node:
            check_tree(child, version)
    elif isinstance(node, IsolationForest):
        check_forest(node, version)
    elif isinstance(node, np.ndarray):
        if node.dtype == object:
            raise ArtefactError(f"version {version} holds an array of objects")
    elif not (node is None or isinstance(node, str | int | float)):
        raise ArtefactError(f"version {version} holds a {type(node).__name__}")


def check_forest(forest: IsolationForest, version: str) -> None:
    """Raise :class:`ArtefactError` unless every tree of a forest stays within its nodes and columns."""
    width = int(forest.n_features_in_)
    if len(forest.estimators_) != len(forest.estimators_features_) or not len(forest.estimators_):
        raise ArtefactError(f"version {version} has a forest whose trees and columns do not match")
    for number, (estimator, columns) in enumerate(zip(forest.estimators_, forest.estimators_features_, strict=True)):
        chosen = np.asarray(columns)
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= width:
            raise ArtefactError(f"version {version}, tree {number}: a column is out of bounds")
        check_nodes(estimator.tree_, len(chosen), f"version {version}, tree {number}")


def check_nodes(tree: Any, width: int, where: str) -> None:
    """Raise :class:`ArtefactError` unless children follow their parent and features exist."""
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    nodes = np.arange(len(left))
    inner = left != -1
    if len(left) == 0 or len(left) != tree.node_count or ((right != -1) != inner).any():
        raise ArtefactError(f"{where}: its nodes do not form a tree")
    for children in (left[inner], right[inner]):
        # Children come after their parent, so that no walk can circle.
        if (children <= nodes[inner]).any() or (children >= len(left)).any():
            raise ArtefactError(f"{where}: a node index is out of bounds")
    if (feature[inner] < 0).any() or (feature[inner] >= width).any():
        raise ArtefactError(f"{where}: a feature index is out of bounds")
    if not np.isfinite(tree.threshold[inner]).all():
        raise ArtefactError(f"{where}: a threshold is not a number")
