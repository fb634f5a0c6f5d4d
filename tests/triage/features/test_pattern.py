"""What usually comes together: learned directions, exact contributions, and what they leave unaccounted for."""

import random

import numpy as np
import pytest

from triage.features.pattern import (
    LETTERS,
    UNIT,
    VIEWS,
    WIDTH,
    WORDS,
    Combinations,
    Pattern,
    form_of,
    letters_of,
    tokens_of,
    unaccounted,
)

PEOPLE = {"ida": ("web-1", "GET /shop"), "ben": ("db-1", "select rows"), "eve": ("mail-1", "send mail")}


def usual(n, seed=0):
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        user = chance.choice(sorted(PEOPLE))
        host, said = PEOPLE[user]
        found.append([("user.name", user), ("host.name", host), ("message", said), ("size", chance.randrange(900))])
    return found


def shares(combinations, cells, new_fields=0):
    return combinations.shares([(name, form_of(value)) for name, value in cells], new_fields)


@pytest.fixture(scope="module")
def learned():
    return Combinations.learn(usual(600))


def test_tokens_are_the_whole_its_words_and_their_neighbours():
    assert tokens_of("message", "send mail") == {
        "message=send mail", "message send", "message mail", "message ^ send mail", "message send mail $",
        "message mail $ $",
    }  # fmt: skip
    assert form_of(491) == "~8.5"


def test_letters_are_each_four_in_a_row_and_only_of_the_first_characters():
    assert letters_of("user", "ida m") == {" idauser", "ida user", "da muser", "a m user"}
    assert letters_of("size", "3") == set()
    assert letters_of("user", "abc" * 100) == letters_of("user", "abc" * 66 + "ab")


def test_common_tokens_in_a_combination_that_never_came_are_odd(learned):
    (cells,) = usual(1, seed=5)
    swapped = [(name, "db-1" if name == "host.name" and value != "db-1" else value) for name, value in cells]
    swapped = swapped if swapped != cells else [*cells[:1], ("host.name", "web-1"), *cells[2:]]
    for odd, common in zip(shares(learned, swapped), shares(learned, cells), strict=True):
        assert odd > common + 0.05


def test_a_token_never_seen_and_a_field_never_seen_add_weight_that_nothing_explains(learned):
    (cells,) = usual(1, seed=5)
    base = shares(learned, cells)
    for other in (shares(learned, [("user.name", "mallory"), *cells[1:]]), shares(learned, cells, new_fields=1)):
        assert [more > usual + 0.05 for more, usual in zip(other, base, strict=True)] == [True, True]


def test_letters_know_half_of_a_word_never_seen(learned):
    """A new name that is written like the usual ones is half known; one of other letters is not."""
    cells = [("host.name", f"web-{'abcdefgh'[i % 8] * 3}") for i in range(400)]
    combinations = Combinations.learn([[cell] for cell in cells])
    near, far = (shares(combinations, [("host.name", host)])[1] for host in ("web-bbba", "zzzzzzzz"))
    assert near < far - 0.05
    assert far == 1.0


def test_a_field_never_seen_weighs_as_many_unseen_tokens_as_a_field_has_on_average():
    pattern = Pattern.learn(WORDS, [[("a", "one two"), ("b", "one")]] * 60)
    # "one two" is cut into 6 tokens, "one" into 4.
    assert pattern.new_field == pattern.unseen * 5


def test_contributions_are_whole_numbers_so_that_order_cannot_matter(learned):
    (cells,) = usual(1, seed=5)
    parts = np.array([learned.part(name, form_of(value)) for name, value in cells])
    assert parts.shape == (4, WIDTH)
    assert (parts == np.rint(parts)).all()
    assert parts.sum(axis=0).tolist() == parts[::-1].sum(axis=0).tolist()


def test_the_share_follows_its_formula():
    sums = np.zeros((WIDTH, 3))
    last = WORDS.directions
    sums[0], sums[1], sums[last] = [3 * UNIT, 0, 0], [4 * UNIT, 0, 0], [50 * UNIT, 9 * UNIT, 0]
    sums[last + 1], sums[-1] = [0, 3 * UNIT, 0], [UNIT, 36 * UNIT, 0]
    assert unaccounted(sums).tolist() == [[0.5, 1.0, 0.0], [1.0, 0.75, 0.0]]


def test_learning_twice_gives_the_same_and_its_state_brings_it_back(learned):
    again, loaded = Combinations.learn(usual(600)), Combinations.from_state(learned.state())
    for other in (again, loaded):
        for one, same in zip(other.patterns, learned.patterns, strict=True):
            assert list(one.index) == list(same.index)
            assert one.rows.tobytes() == same.rows.tobytes()
            assert (one.unseen, one.new_field, one.view) == (same.unseen, same.new_field, same.view)


def test_patterns_of_another_number_of_views_are_refused(learned):
    with pytest.raises(ValueError, match="shorter"):
        Combinations.from_state(learned.state()[:1])


def test_a_state_that_does_not_fit_is_refused(learned):
    state = {**learned.patterns[1].state(), "rows": np.zeros((3, LETTERS.directions + 1), dtype=np.int32)}
    with pytest.raises(ValueError, match="rows of shape"):
        Pattern.from_state(LETTERS, state)


@pytest.mark.parametrize("events", [[], [[]], [[("a", 1)]], [[("a", "x")]] * 50])
def test_with_too_little_to_combine_nothing_fails(events):
    combinations = Combinations.learn(events)
    for share in shares(combinations, [("a", "x"), ("b", "\x1f\x00 yz")]):
        assert 0.0 <= share <= 1.0
    assert shares(combinations, []) == [0.0] * len(VIEWS)
