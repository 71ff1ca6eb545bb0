/** Ranks: the same for everybody, in every language. */

import { describe, expect, it } from "vitest";

import cases from "../../../../tests/vectors/rank.json";
import { hash32, rankOf } from "../../src/core/rank";

describe("hashes", () => {
  it.each(cases.hashes)("of $text", ({ text, hash }) => {
    expect(hash32(text)).toBe(hash);
  });
});

describe("ranks", () => {
  it.each(cases.ranks)("of $me for $sequence", ({ rendition, sequence, me, others, rank }) => {
    expect(rankOf(me, others, { rendition, sequence })).toBe(rank);
  });
});
