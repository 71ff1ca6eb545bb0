/** What is given away: not more than was agreed, and as much as was agreed. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Governor, LEAST_RATE } from "../../src/core/governor";
import type { Caps } from "../../src/core/ports";

const CHUNK = 65_536;
const FRAME = 16_384;
const MEGABYTE = 1_000_000;

function governor(caps: Caps = {}): Governor {
  const made = new Governor();
  made.limit(caps);
  return made;
}

describe("a governor", () => {
  it.each([
    [{}, true],
    [{ hidden: true }, true],
    [{ onBattery: true }, true],
    [{ hidden: true, onBattery: true }, false],
    [{ cellular: true }, false],
    [{ saving: true }, false],
  ])("gives, with %j: %s", (device, gives) => {
    const made = governor();
    made.device = device;
    expect(made.open).toBe(gives);
    made.permitted = false;
    expect(made.open).toBe(false);
  });

  it.each([
    [null, true],
    [LEAST_RATE, true],
    [LEAST_RATE - 1, false],
    [0, false],
  ])("gives, at a rate of %s: %s", (rate, gives) => {
    expect(governor({ rate }).open).toBe(gives);
  });

  it("lets everything go without caps", () => {
    const made = governor();
    expect(made.wait(CHUNK, 1e15, 1e12, 0)).toBeNull();
    made.sent(1e12, 0);
    expect(made.hasRoom(0)).toBe(true);
  });

  it("counts a promise against the budget", () => {
    const made = governor({ budget: 100 });
    expect(made.wait(50, 0, 0, 0)).toBeNull();
    expect(made.wait(51, 0, 50, 0)).toBe(2);
    expect(made.open).toBe(true);
    expect(made.wait(1, 100, 0, 0)).toBe(2);
    expect(made.open).toBe(false);
    made.limit({ budget: 100, rate: 1e6 });
    expect(made.open).toBe(false);
    made.limit({ budget: 200 });
    expect(made.open).toBe(true);
  });

  it("opens a ratio again", () => {
    const made = governor({ ratio: 0.5 });
    expect(made.wait(50, 0, 0, 99)).toBe(2);
    expect(made.open).toBe(true);
    expect(made.wait(50, 0, 0, 100)).toBeNull();
  });

  it("uses a budget, and no more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2 * MEGABYTE, max: 20 * MEGABYTE }), (budget) => {
        const made = governor({ budget });
        let sent = 0;
        while (made.open) if (made.wait(CHUNK, sent, 0, 0) === null) sent += CHUNK;
        expect(sent).toBeLessThanOrEqual(budget);
        expect(sent).toBeGreaterThanOrEqual(0.95 * budget);
      }),
    );
  });

  it("holds a rate, and uses it", () => {
    const rates = fc.double({ min: LEAST_RATE, max: 20 * MEGABYTE, noNaN: true });
    const looks = fc.array(fc.double({ min: 0.0001, max: 0.05, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(rates, looks, (rate, pauses) => {
        const made = governor({ rate });
        let now = 0;
        let total = 0;
        for (let turn = 0; turn < 4_000 && now < 20; turn++) {
          for (; made.hasRoom(now); total += FRAME) made.sent(FRAME, now);
          now = Math.max(made.roomAt(), now + (pauses[turn % pauses.length] ?? 0));
        }
        expect(total).toBeLessThanOrEqual(rate * (now + 0.1) + FRAME);
        expect(total).toBeGreaterThanOrEqual(0.95 * rate * now - FRAME);
      }),
    );
  });
});
