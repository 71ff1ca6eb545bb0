/** Sets of chunks as whole numbers: each function against what sets of numbers would say. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  bitOf,
  firstOf,
  maskOf,
  maskOfSpans,
  numbersIn,
  pick,
  someOf,
  run,
  spansIn,
} from "../../src/core/bits";

const sets = fc.uniqueArray(fc.nat(200));
const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

describe("a mask", () => {
  it("has the bits of its numbers", () => {
    fc.assert(
      fc.property(sets, (chosen) => {
        expect(numbersIn(maskOf(chosen))).toStrictEqual(ascending(chosen));
      }),
    );
    expect([bitOf(0), bitOf(70)]).toStrictEqual([1n, 1n << 70n]);
  });

  it("is no more than was announced, and no more than there can be", () => {
    expect(maskOfSpans([[0, 2 ** 53]], 8)).toBe(0xffn);
    expect(maskOfSpans([[2 ** 53, 2 ** 53]], 8)).toBe(0n);
    const overlapping = [[-3, 1], [1, 2], [9, 7]] as const; // prettier-ignore
    expect(maskOfSpans(overlapping, 100)).toBe(0b111n);
  });

  it("is cut into spans, as few and as long as can be", () => {
    expect(spansIn(0b1011_0111n)).toStrictEqual([[0, 2], [4, 5], [7, 7]]); // prettier-ignore
    expect(spansIn(0n)).toStrictEqual([]);
  });
});

describe("a run", () => {
  it.each([
    [0, 0, 0b1n],
    [2, 4, 0b1_1100n],
    [3, 2, 0n],
  ])("from %i to %i has both its ends", (first, last, mask) => {
    expect(run(first, last)).toBe(mask);
  });
});

describe("of many chunks", () => {
  it("the lowest are taken", () => {
    fc.assert(
      fc.property(sets, fc.nat(30), (chosen, most) => {
        expect(numbersIn(firstOf(maskOf(chosen), most))).toStrictEqual(
          ascending(chosen).slice(0, most),
        );
      }),
    );
  });

  it("one is picked by its turn, counted round and round", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1 }), fc.nat(250), (chosen, turn) => {
        expect(pick(maskOf(chosen), turn)).toBe(ascending(chosen)[turn % chosen.length]);
      }),
    );
  });

  it("some of them begin with that one and go round", () => {
    fc.assert(
      fc.property(sets, fc.nat(30), fc.nat(250), (chosen, most, turn) => {
        const start = turn % Math.max(chosen.length, 1);
        const round = [...ascending(chosen).slice(start), ...ascending(chosen).slice(0, start)];
        expect(someOf(maskOf(chosen), most, turn)).toBe(maskOf(round.slice(0, most)));
      }),
    );
    expect(someOf(maskOf([1, 2]), -1, 0)).toBe(0n);
  });
});
