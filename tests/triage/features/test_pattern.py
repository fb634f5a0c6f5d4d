"""What usually comes together: learned directions, exact contributions, and what they leave unaccounted for."""

import random

import numpy as np
import pytest

from triage.features.pattern import DIRECTIONS, UNIT, Pattern, form_of, tokens_of, unaccounted

PEOPLE = {"ida": ("web-1", "GET /shop"), "ben": ("db-1", "select rows"), "eve": ("mail-1", "send mail")}


def usual(n, seed=0):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        user = chance.choice(sorted(PEOPLE))
        host, said = PEOPLE[user]
        found.append([("user.name", user), ("host.name", host), ("message", said), ("size", chance.randrange(900))])
    return found


def share(pattern, cells, new_fields=0):
    return pattern.share([(name, form_of(value)) for name, value in cells], new_fields)


@pytest.fixture(scope="module")
def learned():
    return Pattern.learn(usual(600))


def test_tokens_are_the_whole_its_words_and_their_neighbours():
    assert tokens_of("message", "send mail") == {
        "message=send mail", "message send", "message mail", "message ^ send mail", "message send mail $",
        "message mail $ $",
    }  # fmt: skip
    assert form_of(491) == "~8.5"


def test_common_tokens_in_a_combination_that_never_came_are_odd(learned):
    (cells,) = usual(1, seed=5)
    swapped = [(name, "db-1" if name == "host.name" and value != "db-1" else value) for name, value in cells]
    swapped = swapped if swapped != cells else [*cells[:1], ("host.name", "web-1"), *cells[2:]]
    assert share(learned, swapped) > share(learned, cells) + 0.05


def test_a_token_never_seen_and_a_field_never_seen_add_weight_that_nothing_explains(learned):
    (cells,) = usual(1, seed=5)
    base = share(learned, cells)
    assert share(learned, [("user.name", "mallory"), *cells[1:]]) > base + 0.05
    assert share(learned, cells, new_fields=1) > base + 0.05


def test_contributions_are_whole_numbers_so_that_order_cannot_matter(learned):
    (cells,) = usual(1, seed=5)
    parts = np.array([learned.part(name, form_of(value)) for name, value in cells])
    assert parts.shape == (4, DIRECTIONS + 1)
    assert (parts == np.rint(parts)).all()
    assert parts.sum(axis=0).tolist() == parts[::-1].sum(axis=0).tolist()


def test_the_share_follows_its_formula():
    sums = np.zeros((DIRECTIONS + 1, 3))
    sums[0], sums[1], sums[-1] = [3 * UNIT, 0, 0], [4 * UNIT, 0, 0], [50 * UNIT, 9 * UNIT, 0]
    assert unaccounted(sums).tolist() == [0.5, 1.0, 0.0]


def test_learning_twice_gives_the_same_and_its_state_brings_it_back(learned):
    again, loaded = Pattern.learn(usual(600)), Pattern.from_state(learned.state())
    for other in (again, loaded):
        assert list(other.index) == list(learned.index)
        assert other.rows.tobytes() == learned.rows.tobytes()
        assert other.unseen == learned.unseen


def test_a_state_that_does_not_fit_is_refused(learned):
    state = {**learned.state(), "rows": np.zeros((3, DIRECTIONS + 1), dtype=np.int32)}
    with pytest.raises(ValueError, match="rows of shape"):
        Pattern.from_state(state)


@pytest.mark.parametrize("events", [[], [[]], [[("a", 1)]], [[("a", "x")]] * 50])
def test_with_too_little_to_combine_nothing_fails(events):
    pattern = Pattern.learn(events)
    assert 0.0 <= share(pattern, [("a", "x"), ("b", "\x1f\x00")]) <= 1.0
    assert share(pattern, []) == 0.0
