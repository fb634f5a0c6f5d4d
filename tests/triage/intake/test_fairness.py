"""Shares of what all sources share, and when to come back."""

import doctest

from triage.intake import fairness
from triage.intake.fairness import Shares, retry_seconds


def fill(shares, source_id, limit):
    taken = 0
    while shares.admits(source_id, 1, limit):
        shares.take(source_id, 1)
        taken += 1
    return taken


def test_the_examples_hold():
    assert doctest.testmod(fairness).failed == 0


def test_one_source_alone_gets_half_and_the_next_ones_their_share():
    shares = Shares()
    assert fill(shares, 1, 1000) == 500
    assert fill(shares, 2, 1000) == 333
    assert fill(shares, 3, 1000) == 167
    assert shares.total == 1000
    assert not shares.admits(4, 1, 1000)


def test_a_source_that_holds_nothing_is_only_asked_for_room():
    shares = Shares()
    fill(shares, 1, 1000)
    assert shares.admits(2, 500, 1000)
    assert not shares.admits(2, 501, 1000)


def test_what_is_given_back_can_be_taken_again():
    shares = Shares()
    assert fill(shares, 1, 100) == 50
    shares.give(1, 50)
    assert (shares.total, dict(shares.held)) == (0, {})
    assert fill(shares, 1, 100) == 50


def test_the_wait_grows_with_the_backlog():
    waits = [retry_seconds(total, 1000) for total in range(0, 2000, 100)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5, 60)
