/** What may be said on a link's control channel in a time. */

import { expect, it } from "vitest";

import { Allowance, MOST_AT_ONCE, MOST_A_SECOND } from "../../src/wire/allowance";

const EACH = 64;

it("takes a burst, and not a byte more", () => {
  const allowance = new Allowance(5);
  for (let at = 0; at < 32; at++) allowance.take(MOST_AT_ONCE / 32 - EACH, 5);
  expect(() => {
    allowance.take(0, 5);
  }).toThrow("too_fast");
});

it("comes back, and does not add up", () => {
  const allowance = new Allowance(0);
  allowance.take(MOST_AT_ONCE - EACH, 0);
  allowance.take(MOST_A_SECOND - EACH, 1);
  allowance.take(MOST_AT_ONCE - EACH, 10_000);
  expect(() => {
    allowance.take(0, 10_000);
  }).toThrow("too_fast");
});

it("counts the smallest messages as well", () => {
  const allowance = new Allowance(0);
  for (let at = 0; at < MOST_AT_ONCE / EACH; at++) allowance.take(0, 0);
  expect(() => {
    allowance.take(0, 0);
  }).toThrow("too_fast");
});
