/** Availability: what neighbours announced, as far as it can be believed and remembered. */

import { describe, expect, it } from "vitest";

import { Availability, LOADING_LASTS, holdingOf, maskOf } from "../../src/core/availability";
import { segmentId } from "../../src/model";

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

describe("what links hold", () => {
  const id = segmentId(v7);

  it("is what they said, until they take it back", () => {
    const known = new Availability();
    const [one, two] = [known.held(1), known.held(2)];
    known.have(2, holding([0, 3]), 0);
    known.have(1, holding([2, 2]), 0);
    expect([one.get(id), two.get(id)]).toStrictEqual([0b100n, 0b1111n]);
    known.gone(2, holding([2, 9]));
    known.lacks(1, v7, 2);
    expect([one.get(id), two.get(id)]).toStrictEqual([undefined, 0b11n]);
    expect(known.offers(v7)).toBe(true);
    known.forget(2);
    expect(known.offers(v7)).toBe(false);
    expect(known.held(2).get(id)).toBeUndefined();
  });

  it("is not remembered without end", () => {
    const known = new Availability();
    const holdings = Array.from({ length: 8193 }, (_, sequence) => ({
      rendition: "v",
      sequence,
      chunks: [[0, 0]] as const,
    }));
    known.have(1, holdings, 0);
    expect(known.offers({ rendition: "v", sequence: 8191 })).toBe(true);
    expect(known.offers({ rendition: "v", sequence: 8192 })).toBe(false);
  });
});

describe("loading", () => {
  it("is believed for a while", () => {
    const known = new Availability();
    known.loads(1, holding([0, 1]), 0);
    expect(known.loading(v7, 0)).toStrictEqual({ mask: 0b11n, until: LOADING_LASTS });
    expect(known.loading(v7, LOADING_LASTS)).toStrictEqual({ mask: 0n, until: 0 });
  });

  it("is over for what has come, and for what has been given up", () => {
    const known = new Availability();
    known.loads(1, holding([0, 2]), 0);
    known.have(1, holding([0, 0]), 0);
    known.gone(1, holding([1, 1]));
    expect(known.loading(v7, 0).mask).toBe(0b100n);
  });

  it("is believed for longer when some of it has come", () => {
    const known = new Availability();
    known.loads(1, holding([0, 1]), 0);
    known.have(1, holding([0, 0]), 1);
    expect(known.loading(v7, 2)).toStrictEqual({ mask: 0b10n, until: 1 + LOADING_LASTS });
  });

  it("by several lasts as long as the last one's", () => {
    const known = new Availability();
    known.loads(1, holding([0, 0]), 0);
    known.loads(2, holding([1, 1]), 1);
    expect(known.loading(v7, 1.5)).toStrictEqual({ mask: 0b11n, until: 1 + LOADING_LASTS });
  });
});
