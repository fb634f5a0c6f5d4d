import hashlib
import io
import zipfile

import numpy as np
import orjson
import pytest
import skops.io
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression

from triage.contracts import ParsedEvent
from triage.detectors.baseline_forest import BaselineForest
from triage.registry import artefact, sealed
from triage.registry.sealed import ArtefactError

EVENTS = [
    ParsedEvent(1.7e9 + i, "event", "ecs_json", "", {"user.name": "abc"[i % 3], "bytes": i * 37 % 101})
    for i in range(300)
]


@pytest.fixture(scope="module")
def fitted():
    return BaselineForest().fit(EVENTS, alert_budget=0.05, random_state=0)


@pytest.fixture
def stored(tmp_path, fitted):
    return tmp_path, artefact.save(tmp_path, "v1", fitted.state(), {"detector": "baseline_forest"})


def rewrite(models_dir, body):
    """Put other bytes in place, as someone with the ledger's password would: the hash is right."""
    (models_dir / "v1" / "pipeline.skops").write_bytes(body)
    return hashlib.sha256(body).hexdigest()


def test_a_stored_detector_scores_bit_for_bit(stored, fitted):
    models_dir, sha256 = stored
    again = BaselineForest.from_state(artefact.load(models_dir, "v1", sha256))
    probe = [*EVENTS[:50], ParsedEvent(1.8e9, "event", "ecs_json", "", {"user.name": "mallory", "bytes": 10**9})]
    assert [part.tobytes() for part in again.score(probe)] == [part.tobytes() for part in fitted.score(probe)]
    assert again.explain(probe) == fitted.explain(probe)
    assert again.threshold_ == fitted.threshold_


def test_the_same_events_and_seed_give_the_same_hash(stored):
    models_dir, sha256 = stored
    twin = BaselineForest().fit(EVENTS, alert_budget=0.05, random_state=0)
    other = BaselineForest().fit(EVENTS, alert_budget=0.05, random_state=1)
    assert artefact.save(models_dir, "v2", twin.state(), {}) == sha256
    assert artefact.save(models_dir, "v3", other.state(), {}) != sha256


def test_the_folder_is_whole_and_the_manifest_says_what_it_is(stored):
    models_dir, sha256 = stored
    assert sorted(path.name for path in models_dir.iterdir()) == ["v1"]
    assert sorted(path.name for path in (models_dir / "v1").iterdir()) == ["manifest.json", "pipeline.skops"]
    assert orjson.loads((models_dir / "v1" / "manifest.json").read_bytes()) == {
        "detector": "baseline_forest", "format": 1, "version": "v1", "artefact_sha256": sha256,
    }  # fmt: skip
    assert hashlib.sha256((models_dir / "v1" / "pipeline.skops").read_bytes()).hexdigest() == sha256


def test_a_version_is_written_once(stored, fitted):
    models_dir, _sha256 = stored
    with pytest.raises(ArtefactError, match="never written again"):
        artefact.save(models_dir, "v1", fitted.state(), {"detector": "other"})
    assert sealed.check_manifest(models_dir / "v1", "v1")["detector"] == "baseline_forest"
    assert sorted(path.name for path in models_dir.iterdir()) == ["v1"]


@pytest.mark.parametrize("version", ["", "../v1", "a/b", ".hidden", "x" * 65, "v1\n"])
def test_a_version_that_is_no_folder_name_is_refused(tmp_path, version):
    with pytest.raises(ArtefactError, match="is not a model version"):
        artefact.save(tmp_path, version, {}, {})
    with pytest.raises(ArtefactError, match="is not a model version"):
        artefact.load(tmp_path, version, "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_is_refused_before_opening(stored, monkeypatch):
    models_dir, sha256 = stored
    path = models_dir / "v1" / "pipeline.skops"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    opened = []
    monkeypatch.setattr(artefact, "open_bytes", lambda *args: opened.append(args))
    with pytest.raises(ArtefactError, match="has been changed"):
        artefact.load(models_dir, "v1", sha256)
    assert opened == []


def test_a_truncated_artefact_is_refused(stored):
    models_dir, sha256 = stored
    body = (models_dir / "v1" / "pipeline.skops").read_bytes()
    rewrite(models_dir, body[: len(body) // 2])
    with pytest.raises(ArtefactError, match="has been changed"):
        artefact.load(models_dir, "v1", sha256)
    with pytest.raises(ArtefactError, match="cannot be opened"):
        artefact.load(models_dir, "v1", rewrite(models_dir, body[: len(body) // 2]))


def test_a_swapped_artefact_is_refused(stored):
    models_dir, sha256 = stored
    other = BaselineForest().fit(EVENTS, alert_budget=0.05, random_state=3)
    artefact.save(models_dir, "v2", other.state(), {})
    (models_dir / "v1").rename(models_dir / "aside")
    (models_dir / "v2").rename(models_dir / "v1")
    with pytest.raises(ArtefactError, match="is that of 'v2'"):
        artefact.load(models_dir, "v1", sha256)


def test_a_manifest_from_the_future_is_refused(stored):
    models_dir, sha256 = stored
    path = models_dir / "v1" / "manifest.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "format": 2}))
    with pytest.raises(ArtefactError, match="format 2; this Winnow reads up to 1: upgrade it"):
        artefact.load(models_dir, "v1", sha256)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [(b"{", "is not JSON"), (b"[]", "has no format number"), (b'{"format":true}', "has no format number")],
)
def test_a_damaged_manifest_is_refused(stored, manifest, said):
    models_dir, sha256 = stored
    (models_dir / "v1" / "manifest.json").write_bytes(manifest)
    with pytest.raises(ArtefactError, match=said):
        artefact.load(models_dir, "v1", sha256)


def test_a_missing_version_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read: No such file"):
        artefact.load(tmp_path, "v9", "0" * 64)


def test_an_oversized_artefact_is_refused(stored, monkeypatch):
    models_dir, sha256 = stored
    monkeypatch.setattr(sealed, "MAX_BYTES", 1000)
    with pytest.raises(ArtefactError, match="more than 1,000 bytes"):
        artefact.load(models_dir, "v1", sha256)


def test_an_inflating_artefact_is_refused(stored, monkeypatch):
    models_dir, sha256 = stored
    monkeypatch.setattr(artefact, "MAX_INFLATED_BYTES", 1000)
    with pytest.raises(ArtefactError, match="inflates to"):
        artefact.load(models_dir, "v1", sha256)


@pytest.mark.parametrize("guest", [LinearRegression(), np.random.default_rng(0), {"a", "b"}])
def test_another_type_is_refused_even_with_the_right_hash(stored, fitted, guest):
    models_dir, _ = stored
    sha256 = rewrite(models_dir, skops.io.dumps({**fitted.state(), "guest": guest}))
    with pytest.raises(ArtefactError, match=r"not allowed|holds a "):
        artefact.load(models_dir, "v1", sha256)


def test_something_that_is_no_archive_is_refused(stored):
    models_dir, _ = stored
    with pytest.raises(ArtefactError, match="cannot be opened: BadZipFile"):
        artefact.load(models_dir, "v1", rewrite(models_dir, b"not a zip"))


class Nodes:
    """The arrays of a small sound tree, to be damaged."""

    def __init__(self, **changes):
        self.children_left = np.array([1, -1, -1])
        self.children_right = np.array([2, -1, -1])
        self.feature = np.array([1, -2, -2])
        self.threshold = np.array([0.5, -2.0, -2.0])
        self.node_count = 3
        vars(self).update({name: np.array(value) for name, value in changes.items()})


def test_a_sound_tree_passes():
    artefact.check_nodes(Nodes(), 2, "tree")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"children_left": [99, -1, -1]}, "node index is out of bounds"),
        ({"children_right": [0, -1, -1]}, "node index is out of bounds"),
        ({"children_left": [-5, -1, -1]}, "node index is out of bounds"),
        ({"children_right": [-1, -1, -1]}, "do not form a tree"),
        ({"feature": [2, -2, -2]}, "feature index is out of bounds"),
        ({"feature": [-3, -2, -2]}, "feature index is out of bounds"),
        ({"threshold": [np.nan, 0.0, 0.0]}, "threshold is not a number"),
        ({"node_count": 4}, "do not form a tree"),
    ],
)
def test_a_tree_that_would_read_out_of_bounds_is_refused(changes, said):
    with pytest.raises(ArtefactError, match=said):
        artefact.check_nodes(Nodes(**changes), 2, "tree")


def test_a_forest_with_a_column_out_of_bounds_is_refused(stored, fitted):
    models_dir, _ = stored
    forest = IsolationForest(n_estimators=2, random_state=0).fit(np.arange(40.0).reshape(20, 2))
    forest.estimators_features_ = [np.array([0, 7]), np.array([0, 1])]
    sha256 = rewrite(models_dir, artefact.to_bytes({**fitted.state(), "forest": forest}))
    with pytest.raises(ArtefactError, match="tree 0: a column is out of bounds"):
        artefact.load(models_dir, "v1", sha256)


def test_bytes_hold_no_clock_and_no_address(fitted):
    archive = zipfile.ZipFile(io.BytesIO(artefact.to_bytes(fitted.state())))
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
