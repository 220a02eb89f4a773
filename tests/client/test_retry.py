"""Failed requests are made again where that helps, within a budget and under one deadline; else it is said why not."""

from __future__ import annotations

import itertools

import pytest
from voicestress import ContractError, DeadlineExceeded, Overloaded, RetryPolicy, ServiceError, Unavailable
from voicestress.replicas import Replicas
from voicestress.retry import RetryBudget
from voicestress.schedule import WindowSchedule

FULL = Overloaded("here:8001: the queue of stress is full")


def schedule(windows=1, *, in_flight=2, deadline_s=30.0, budget=None, replicas=1, **policy):
    return WindowSchedule(
        windows,
        in_flight=in_flight,
        deadline_s=deadline_s,
        policy=RetryPolicy(**policy),
        budget=budget or RetryBudget(),
        replicas=Replicas(replicas),
    )


def last_call(plan, number):
    return list(plan._calls[number].values())[-1]


def fail(plan, number, error, now_s):
    plan.fail(last_call(plan, number), error, now_s)


def answer(plan, number):
    return plan.answer(last_call(plan, number))


def send_all(plan, now_s):
    calls = []
    while (call := plan.next_call(now_s)) is not None:
        calls.append(call)
    return calls


def test_only_so_many_windows_are_in_flight_and_every_one_is_sent_once():
    plan, sent = schedule(5, in_flight=2), []
    while not plan.is_done:
        calls = send_all(plan, 0.0)
        assert len(calls) == (2 if not sent else 1)
        sent += [call.number for call in calls]
        if sent[-1] == 4 and len(sent) == 5:
            for number in (sent[-2], sent[-1]):
                answer(plan, number)
        else:
            answer(plan, sent[len(sent) - 2])
    assert sent == [0, 1, 2, 3, 4]


def test_delays_are_drawn_from_nothing_to_a_bound_that_doubles():
    policy = RetryPolicy(first_delay_s=0.1, longest_delay_s=1.0)
    for failures, bound in [(1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (50, 1.0)]:
        drawn = [policy.delay_s(failures) for _ in range(400)]
        assert 0 <= min(drawn) < 0.2 * bound
        assert 0.8 * bound < max(drawn) <= bound


@pytest.mark.parametrize("error", [FULL, Unavailable("nothing answers")])
def test_a_window_that_found_the_server_full_or_away_is_sent_again_after_a_delay(error):
    plan = schedule(first_delay_s=0.1)
    assert send_all(plan, 10.0)[0].timeout_s == 30
    fail(plan, 0, error, 10.5)
    wait_s = plan.wait_s(10.5)
    assert 0 <= wait_s <= 0.1
    (again,) = send_all(plan, 10.5 + wait_s)
    assert again.number == 0
    assert again.timeout_s == pytest.approx(30 - 0.5 - wait_s)  # one deadline for all attempts
    answer(plan, 0)
    assert plan.is_done


def test_other_windows_go_on_while_one_waits():
    plan = schedule(3, in_flight=2, first_delay_s=5.0, longest_delay_s=5.0)
    send_all(plan, 0.0)
    fail(plan, 0, FULL, 0.0)
    assert [call.number for call in send_all(plan, 0.0)] == [2]
    assert plan.wait_s(0.0) is None  # no room: only an answer changes anything
    answer(plan, 1)
    assert plan.wait_s(0.0) > 0


@pytest.mark.parametrize(
    "error", [DeadlineExceeded("late"), ContractError("no model"), ServiceError("the model failed")]
)
def test_what_would_fail_again_is_not_tried_again(error):
    plan = schedule()
    send_all(plan, 0.0)
    with pytest.raises(type(error), match=str(error)):
        fail(plan, 0, error, 0.1)


def test_who_gives_up_says_what_was_tried():
    plan, now_s = schedule(3, in_flight=1, attempts=3), 0.0
    for attempt in range(3):
        now_s += plan.wait_s(now_s) or 0.0
        send_all(plan, now_s)
        if attempt < 2:
            fail(plan, 0, FULL, now_s)
    with pytest.raises(Overloaded, match=r"; gave up window 1 of 3 after 3 attempts in \d\.\d s: no more are allowed"):
        fail(plan, 0, FULL, now_s)


def test_no_retry_outlives_the_deadline():
    plan = schedule(deadline_s=1.0)
    send_all(plan, 0.0)
    fail(plan, 0, FULL, 0.0)
    send_all(plan, 0.9)
    with pytest.raises(Overloaded, match="the deadline of 1 s leaves no time"):
        fail(plan, 0, FULL, 1.0)


def test_a_retry_whose_deadline_passes_while_others_are_in_flight_is_given_up():
    plan = schedule(2, in_flight=1, deadline_s=1.0, first_delay_s=0.01, longest_delay_s=0.01)
    send_all(plan, 0.0)
    fail(plan, 0, FULL, 0.1)
    assert [call.number for call in send_all(plan, 0.1)] == [1]  # while the first waits
    answer(plan, 1)
    with pytest.raises(Overloaded, match=r"gave up window 1 of 2 after 1 attempt in 1\.5 s: the deadline of 1 s"):
        plan.next_call(1.5)


def test_a_budget_ends_retries_when_most_requests_fail_and_comes_back_with_successes():
    budget = RetryBudget()
    assert sum(budget.failed() for _ in range(200)) == 49
    plan = schedule(budget=budget)
    send_all(plan, 0.0)
    with pytest.raises(Overloaded, match=r"is full; gave up window 1 of 1 after 1 attempt in 0\.0 s: too many"):
        fail(plan, 0, FULL, 0.0)
    for _ in range(2000):
        budget.succeeded()
    assert budget.failed()


def test_a_few_failures_among_many_successes_are_always_retried():
    budget = RetryBudget()
    for _ in range(500):
        assert budget.failed()
        for _ in range(10):
            budget.succeeded()


@pytest.mark.parametrize(
    "policy",
    [
        {"attempts": 0},
        {"first_delay_s": 0.0},
        {"first_delay_s": 4.0, "longest_delay_s": 3.0},
        {"longest_delay_s": float("nan")},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy):
    with pytest.raises(ValueError, match=r"attempts|first_delay_s"):
        RetryPolicy(**policy)


def test_a_window_that_failed_is_sent_to_another_server():
    plan = schedule(replicas=3, attempts=10)
    asked = [send_all(plan, 0.0)[0].replica]
    for at_s in range(1, 4):
        fail(plan, 0, FULL, float(at_s))
        asked.append(send_all(plan, at_s + 0.5)[0].replica)
    assert all(one != other for one, other in itertools.pairwise(asked))


def test_a_slow_window_is_sent_to_another_server_too_and_the_first_answer_counts():
    plan = schedule(replicas=2, second_after_s=1.0)
    (first,) = send_all(plan, 0.0)
    assert plan.wait_s(0.4) == pytest.approx(0.6)
    assert send_all(plan, 0.9) == []
    (second,) = send_all(plan, 1.0)
    assert (second.number, second.replica != first.replica, second.timeout_s) == (0, True, 29.0)
    assert plan.wait_s(1.0) is None, "a third is not sent"
    assert plan.answer(second) == [first], "the other is of no use now"
    assert plan.is_done


def test_by_default_no_window_is_sent_twice():
    plan = schedule(replicas=2)
    send_all(plan, 0.0)
    assert plan.wait_s(0.0) is None
    assert send_all(plan, 29.0) == []


def test_where_one_of_two_calls_fails_the_other_goes_on():
    plan = schedule(replicas=2, second_after_s=1.0)
    (first,) = send_all(plan, 0.0)
    (second,) = send_all(plan, 1.0)
    plan.fail(first, Unavailable("it died"), 1.5)
    assert (plan.wait_s(1.5), send_all(plan, 9.0)) == (None, [])
    plan.fail(second, Unavailable("it died too"), 9.0)
    (third,) = send_all(plan, 9.0 + plan.wait_s(9.0))
    assert plan.answer(third) == []


def test_a_window_that_was_answered_is_not_sent_again():
    plan = schedule(3, in_flight=3, replicas=2, second_after_s=1.0)
    calls = send_all(plan, 0.0)
    plan.answer(calls[0])
    assert [call.number for call in send_all(plan, 1.0)] == [1, 2]


def test_second_calls_end_with_the_budget():
    budget = RetryBudget()
    while budget.failed():
        pass
    plan = schedule(replicas=2, second_after_s=1.0, budget=budget)
    send_all(plan, 0.0)
    assert send_all(plan, 5.0) == []


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_second_call_needs_a_time(seconds):
    with pytest.raises(ValueError, match="second_after_s"):
        RetryPolicy(second_after_s=seconds)


def test_a_server_that_dies_with_much_in_flight_costs_no_window():
    plan = schedule(600, in_flight=600, replicas=3)
    calls = send_all(plan, 0.0)
    for call in calls:
        if call.replica == 1:
            plan.fail(call, Unavailable("it died"), 0.5)
    again = send_all(plan, 1.0)
    assert len(again) == 200
    assert {call.replica for call in again} == {0, 2}


def test_a_second_call_goes_to_another_server_or_nowhere():
    alone = schedule(replicas=1, second_after_s=1.0)
    send_all(alone, 0.0)
    assert send_all(alone, 2.0) == []
