/** Availability: what neighbours announced, as far as it can be believed and remembered. */

import { describe, expect, it } from "vitest";

import { Availability, LOADING_LASTS, holdingOf, maskOf } from "../../src/core/availability";

const v7 = { rendition: "v", sequence: 7 };
const holding = (...chunks: [number, number][]) => [{ ...v7, chunks }];

describe("masks", () => {
  it.each([
    ["nothing", [], 0n],
    ["a run", [[1, 3]], 0b1110n],
    ["runs that overlap", [[0, 2], [2, 3]], 0b1111n],
    ["a run the wrong way round is nothing", [[3, 1]], 0n],
    ["what is below zero is nothing", [[-5, 1]], 0b11n],
    ["all below zero", [[-5, -1]], 0n],
  ] as const)("%s", (_, spans, mask) => {
    expect(maskOf(spans)).toBe(mask);
  });

  it("are bounded, whatever is announced", () => {
    expect(maskOf([[0, 1e300]]).toString(2)).toHaveLength(4096);
    expect(maskOf([[1e300, 1e301]])).toBe(0n);
  });
});

describe("an announcement", () => {
  it("has at most 128 runs", () => {
    const ragged = Array.from({ length: 200 }, (_, i) => 2 * i);
    expect(holdingOf(v7, ragged).chunks).toHaveLength(128);
    expect(holdingOf(v7, [2, 0, 1])).toStrictEqual({ ...v7, chunks: [[0, 2]] });
  });
});

describe("holders", () => {
  it("are the links that said so, until they take it back", () => {
    const known = new Availability();
    known.have(2, holding([0, 3]));
    known.have(1, holding([2, 2]));
    expect(known.holders(v7, 2)).toStrictEqual([2, 1]);
    known.gone(2, holding([2, 9]));
    expect(known.holders(v7, 2)).toStrictEqual([1]);
    known.lacks(1, v7, 2);
    expect(known.holders(v7, 2)).toStrictEqual([]);
    expect(known.holders(v7, 1)).toStrictEqual([2]);
    known.forget(2);
    expect(known.holders(v7, 1)).toStrictEqual([]);
  });

  it("are not remembered without end", () => {
    const known = new Availability();
    const holdings = Array.from({ length: 8193 }, (_, sequence) => ({
      rendition: "v",
      sequence,
      chunks: [[0, 0]] as const,
    }));
    known.have(1, holdings);
    expect(known.holders({ rendition: "v", sequence: 8191 }, 0)).toStrictEqual([1]);
    expect(known.holders({ rendition: "v", sequence: 8192 }, 0)).toStrictEqual([]);
  });
});

describe("loading", () => {
  it("is believed for a while", () => {
    const known = new Availability();
    known.loads(1, holding([0, 1]), 0);
    expect(known.loadedUntil(v7, 1, 0)).toBe(LOADING_LASTS);
    expect(known.loadedUntil(v7, 2, 0)).toBeNull();
    expect(known.loadedUntil(v7, 1, LOADING_LASTS)).toBeNull();
  });

  it("is over for what has come, and for what has been given up", () => {
    const known = new Availability();
    known.loads(1, holding([0, 2]), 0);
    known.have(1, holding([0, 0]));
    known.gone(1, holding([1, 1]));
    expect([0, 1, 2].map((chunk) => known.loadedUntil(v7, chunk, 0))).toStrictEqual([
      null,
      null,
      LOADING_LASTS,
    ]);
  });

  it("by several lasts as long as the last one's", () => {
    const known = new Availability();
    known.loads(1, holding([0, 0]), 0);
    known.loads(2, holding([0, 0]), 1);
    expect(known.loadedUntil(v7, 0, 2)).toBe(1 + LOADING_LASTS);
  });
});
