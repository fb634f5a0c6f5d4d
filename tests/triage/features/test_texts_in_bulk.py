"""Masks and outlines of many texts are those of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.features import texts
from triage.features.texts import FEW, masks, outlines
from triage.features.tokens import collapsed, mask

FILLER = ["plain words", "a1b2", "deadbeef", "x" * 2_000, "", "Alice Smith-42", "10.0.0.1"]
tricky = st.text(alphabet='0x1fagzAF_ -#.\x1f\x00é\u0130Σ٣"\n', max_size=40)


@given(st.lists(tricky, max_size=30))
def test_masks_and_outlines_in_bulk_are_those_of_each_text(found: list[str]) -> None:
    many = [*FILLER, *found]
    assert masks(many) == [mask(text) for text in many]
    assert outlines(many) == [collapsed(text) for text in many]


@pytest.mark.parametrize(
    ("text", "masked", "outline"),
    [
        ("Session 4711 of host-12", "session # of host-#", "Aa 9 a a-9"),
        ("id=DEADBEEF.", "id=#.", "a=A."),
        ("deadbeefg deadbee", "deadbeefg deadbee", "a a"),
        ("_deadbeef x", "_deadbeef x", "_a a"),
        ("a\x1fb1", "a b#", "a a9"),
        ("1f2e3d4c-5b6a-0000", "#-#b#a-#", "9a9a9a9a-9a9a-9"),
        ("0x1F0x2 10x1f", "#x# #x#f", "9a9A9a9 9a9a"),
        ("9" * 3_000, "#", "9"),
    ],
)
def test_what_is_masked_and_collapsed(text: str, masked: str, outline: str) -> None:
    assert masks([text, *FILLER])[0] == masked
    assert outlines([text, *FILLER])[0] == outline


def test_plain_texts_take_the_fast_way_and_only_others_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[str] = []
    monkeypatch.setattr(texts, "mask", lambda text: slow.append(text) or mask(text))
    assert masks(FILLER) == [mask(text[:1_500]) for text in FILLER]
    assert slow == []
    odd = ["Müller", "0x12", "a\x00b"]
    assert masks([*odd, *FILLER]) == [mask(text) for text in [*odd, *FILLER]]
    assert slow == odd


def test_many_texts_are_joined_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"{number} of {'x' * (number % 50)}" for number in range(300)]
    whole = masks(many), outlines(many)
    sizes: list[int] = []
    real = texts._mask_joined
    monkeypatch.setattr(texts, "_mask_joined", lambda joined: sizes.append(len(joined)) or real(joined))
    monkeypatch.setattr(texts, "BLOCK", 500)
    assert (masks(many), outlines(many)) == whole
    assert len(sizes) > 15
    assert max(sizes) < 500 + 60 + 100


def test_fewer_texts_than_pay_for_arrays_go_one_by_one() -> None:
    assert masks(["A1"] * (FEW - 1)) == ["a#"] * (FEW - 1)
    assert masks([]) == outlines([]) == []
