"""Something that is asked for: once at a time, and with pauses between failures."""

from __future__ import annotations

from p2pcdn.core.question import ANSWER_TIMEOUT, FIRST_PAUSE, LONGEST_PAUSE, Question

NOW = 0.0


def asked_at(now: float) -> Question:
    question = Question()
    question.since = now
    return question


def test_it_is_asked_once_at_a_time() -> None:
    question = Question()
    assert question.may_ask(NOW)
    assert question.timer_at() is None
    question.since = NOW
    assert not question.may_ask(NOW)
    assert question.timer_at() == NOW + ANSWER_TIMEOUT
    question.answered()
    assert question.may_ask(NOW)


def test_after_a_failure_there_is_a_pause() -> None:
    question = asked_at(NOW)
    question.failed(NOW + 1)
    assert question.timer_at() == NOW + 1 + FIRST_PAUSE
    assert not question.may_ask(NOW + 1)
    assert question.may_ask(NOW + 1 + FIRST_PAUSE)
    assert question.timer_at() is None


def test_pauses_double_up_to_a_bound_and_begin_anew() -> None:
    question, pauses = Question(), []
    for _ in range(7):
        question.since = NOW
        question.failed(NOW)
        pauses.append(question.timer_at())
    assert pauses == [0.5, 1.0, 2.0, 4.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    question.answered()
    question.since = NOW
    question.failed(NOW)
    assert question.timer_at() == NOW + FIRST_PAUSE


def test_what_was_not_asked_cannot_fail() -> None:
    question = Question()
    question.failed(NOW)
    assert question.may_ask(NOW)


def test_no_answer_is_a_failure() -> None:
    question = asked_at(NOW)
    question.on_timer(NOW + ANSWER_TIMEOUT - 0.01)
    assert question.timer_at() == NOW + ANSWER_TIMEOUT
    question.on_timer(NOW + ANSWER_TIMEOUT)
    assert question.timer_at() == NOW + ANSWER_TIMEOUT + FIRST_PAUSE
