/** What peers brought within the last second: exactly that, and since when we ask. */

import { describe, expect, it } from "vitest";

import { Goodput } from "../../src/core/goodput";

describe("goodput", () => {
  it("is what came within the last second", () => {
    const goodput = new Goodput();
    expect(goodput.rate(0)).toBe(0);
    goodput.brought(100, 0);
    goodput.brought(50, 0.6);
    expect([0.6, 0.99, 1, 1.59, 1.6].map((now) => goodput.rate(now))).toStrictEqual([
      150, 150, 50, 50, 0,
    ]);
  });

  it("knows since when something is asked for without a pause", () => {
    const goodput = new Goodput();
    expect(goodput.askingSince).toBe(Infinity);
    goodput.asking(1);
    goodput.asking(2);
    expect(goodput.askingSince).toBe(1);
    goodput.rests();
    expect(goodput.askingSince).toBe(Infinity);
    goodput.asking(3);
    expect(goodput.askingSince).toBe(3);
  });
});
