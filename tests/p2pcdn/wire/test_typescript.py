"""What the generator writes for each kind of schema, and that it stops at what it does not know."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from msgspec import Meta

from p2pcdn.wire.fields import Count, Message, Part
from p2pcdn.wire.typescript import Schema, typescript


class Pair(NamedTuple):
    """Two numbers."""

    first: int
    last: int


class Inner(Part, frozen=True):
    """A part.

    With a second paragraph about ``this``.
    """

    pairs: Annotated[tuple[Pair, ...], Meta(max_length=3)]


class Ask(Message, frozen=True, tag="ask"):
    """A message."""

    count: Count
    inner: Inner
    share: Annotated[float, Meta(ge=0)]
    kind: Literal["a", "b"] = "a"
    name: Annotated[str, Meta(max_length=5)] | None = None
    code: Annotated[str, Meta(pattern="^x/y$")] = "x/y"
    both: Annotated[str, Meta(pattern="^y", max_length=3)] = "y"
    on: bool = True


class Stop(Message, frozen=True, tag="stop"):
    """Another one."""


class Wrap(Message, frozen=True, tag="wrap"):
    """A message with a message in it."""

    stop: Stop


def definitions() -> dict[str, Schema]:
    (root,), found = msgspec.json.schema_components([Ask | Stop])
    return {"Said": root, **found}


def test_types_and_checks_of_what_is_decoded() -> None:
    text = typescript(sent={}, decoded=definitions())
    body = text.partition('from "./check";\n')[2]
    assert (
        body
        == """
export type Said =
  | Ask
  | Stop;

/** A message. */
export interface Ask {
  readonly type: "ask";
  readonly count: number;
  readonly inner: Inner;
  readonly share: number;
  readonly kind: "a" | "b";
  readonly name: string | null;
  readonly code: string;
  readonly both: string;
  readonly on: boolean;
}

/**
 * A part.
 *
 * With a second paragraph about `this`.
 */
export interface Inner {
  readonly pairs: readonly Pair[];
}

/** Two numbers. */
export type Pair = readonly [number, number];

/** Another one. */
export interface Stop {
  readonly type: "stop";
}

// What a page decodes, checked.
const Count = integer(0, 9007199254740991);
const Pair = tuple(integer(), integer());
const Inner = record({ pairs: list(Pair, 3) });
const Ask = record({ count: Count, inner: Inner, share: number(0), \
kind: optional(literal("a", "b"), "a"), name: optional(orNull(text(5)), null), \
code: optional(text(undefined, /^x\\/y$/u), "x/y"), both: optional(text(3, /^y/u), "y"), \
on: optional(boolean, true) });
const Stop = record({});
export const Said: Check<Said> = union({ ask: Ask, stop: Stop });
"""
    )


def test_what_is_only_sent_may_leave_out_what_has_a_default() -> None:
    text = typescript(sent=definitions(), decoded={})
    assert "readonly count: number;" in text
    assert "readonly name?: string | null;" in text
    assert "const Ask" not in text


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array"},
        {"type": "array", "items": {"type": "array"}},
        {"type": "array", "items": {"$ref": "#/$defs/Message"}, "minItems": 1},
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "number", "multipleOf": 2},
        {"type": "string", "minLength": 1},
        {"type": "string", "format": "date-time"},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ],
    ids=str,
)
def test_a_schema_that_nobody_thought_of_is_an_error(schema: dict[str, Any]) -> None:
    message = {"type": "object", "properties": {"field": schema}}
    with pytest.raises(ValueError, match=r"no (check|TypeScript type) for"):
        typescript(sent={}, decoded={"Message": message})


def test_the_type_of_a_message_within_a_message_is_checked() -> None:
    (root,), found = msgspec.json.schema_components([Wrap | Ask])
    text = typescript(sent={}, decoded={"Said": root, **found})
    assert 'const Stop = record({ type: literal("stop") });' in text
    assert "const Wrap = record({ stop: Stop });" in text


def test_a_list_of_texts() -> None:
    texts = {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2}
    message = {"type": "object", "properties": {"texts": texts}}
    text = typescript(sent={}, decoded={"Message": message})
    assert "readonly texts: readonly string[];" in text
    assert "texts: list(text(5), 2)" in text
