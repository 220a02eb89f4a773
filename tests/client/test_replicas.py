"""Servers take turns; one that is away is left out, and asked by one request at a time whether it is back."""

from __future__ import annotations

from collections import Counter

from voicestress.replicas import Replicas


def picks(replicas, count, now_s):
    return [replicas.pick(now_s) for _ in range(count)]


def test_they_take_turns():
    assert picks(Replicas(3), 7, 0.0) == [0, 1, 2, 0, 1, 2, 0]


def test_another_is_picked_than_the_one_to_avoid():
    replicas = Replicas(2)
    assert [replicas.pick(0.0, avoid=0) for _ in range(3)] == [1, 1, 1]
    assert Replicas(1).pick(0.0, avoid=0) == 0


def test_one_that_is_away_is_left_out_and_the_others_share_evenly():
    replicas = Replicas(3)
    replicas.failed(1, 0.0)
    assert Counter(picks(replicas, 100, 0.5)) == {0: 50, 2: 50}


def test_one_request_asks_whether_it_is_back():
    replicas = Replicas(3)
    replicas.failed(1, 0.0)
    assert Counter(picks(replicas, 99, 1.1))[1] == 1
    replicas.failed(1, 1.2)
    assert Counter(picks(replicas, 99, 2.5))[1] == 0, "the pause is doubled"
    assert Counter(picks(replicas, 99, 3.3))[1] == 1
    replicas.succeeded(1)
    assert Counter(picks(replicas, 99, 3.4)) == {0: 33, 1: 33, 2: 33}


def test_a_pause_is_never_longer_than_the_longest():
    replicas, now_s = Replicas(2, first_pause_s=1.0, longest_pause_s=4.0), 0.0
    for _ in range(30):
        replicas.failed(0, now_s)
        now_s += 4.1
        assert 0 in picks(replicas, 3, now_s)


def test_many_that_fail_at_once_are_one_failure():
    replicas = Replicas(2)
    for _ in range(50):
        replicas.failed(0, 0.0)
    assert 0 in picks(replicas, 3, 1.1)


def test_a_cancelled_question_is_asked_again():
    replicas = Replicas(2)
    replicas.failed(0, 0.0)
    assert Counter(picks(replicas, 10, 1.5))[0] == 1
    replicas.ended(0)
    assert Counter(picks(replicas, 10, 1.6))[0] == 1


def test_where_all_are_away_they_take_turns():
    replicas = Replicas(3)
    for number in range(3):
        replicas.failed(number, 0.0)
    assert Counter(picks(replicas, 30, 0.1)) == {0: 10, 1: 10, 2: 10}
