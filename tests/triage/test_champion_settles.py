"""A model that starts to serve leaves the collector's walks; what an old one left behind is collected first."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from triage import champion
from triage.models import ModelVersion


class Loop:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(champion, "load", lambda model: champion.Champion(model.pk, model.version, Loop()))
    champion.forget()
    gc.unfreeze()
    yield
    champion.forget()
    gc.unfreeze()


def test_a_champion_is_frozen_when_it_starts_to_serve_and_not_again() -> None:
    assert gc.get_freeze_count() == 0
    champion._refresh(ModelVersion(pk=1, version="v1"))
    assert gc.get_freeze_count() > 1_000
    gc.unfreeze()
    champion._refresh(ModelVersion(pk=1, version="v1"))
    assert gc.get_freeze_count() == 0


def test_the_next_champion_frees_what_the_last_one_left() -> None:
    champion._refresh(ModelVersion(pk=1, version="v1"))
    left = weakref.ref(champion._serving.champion.detector)
    champion._refresh(ModelVersion(pk=2, version="v2"))
    assert left() is None
    assert champion._serving.champion.version == "v2"
