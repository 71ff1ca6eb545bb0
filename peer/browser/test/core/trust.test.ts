/** Trust in peers: earned slowly, and lost at once. */

import { beforeEach, describe, expect, it } from "vitest";

import { Trust } from "../../src/core/trust";

let trust: Trust;

beforeEach(() => {
  trust = new Trust();
});

const floor = (now = 0, target = 30, shaky = false): number => trust.floor(target, shaky, now);
const rescued = (now = 0, duration = 2, target = 30): void => {
  trust.rescued(1, duration, target, now);
};

describe("the floor", () => {
  it("is nothing to begin with", () => {
    expect(floor()).toBe(0);
  });

  it("doubles with each rescue, up to what the player wants", () => {
    const floors = [0, 1, 2, 3].map((now) => {
      rescued(now);
      return floor(now);
    });
    expect(floors).toStrictEqual([4, 8, 16, 30]);
  });

  it("is two segments at least", () => {
    rescued(0, 6);
    expect(floor()).toBe(12);
    expect(floor(0, 10)).toBe(10);
  });

  it("halves with each clean minute, and then is none", () => {
    rescued();
    rescued();
    expect([59, 60, 119, 120, 180].map((now) => floor(now))).toStrictEqual([8, 4, 4, 2, 0]);
    rescued(200);
    expect(floor(200)).toBe(4);
  });

  it("is all that the player wants while the origin is shaky, or for a minute after a stall", () => {
    expect(floor(0, 30, true)).toBe(30);
    trust.stalled(10);
    expect([floor(69), floor(70)]).toStrictEqual([30, 0]);
  });
});

describe("patience", () => {
  it("is half of the time at first, and grows with what peers bring", () => {
    expect(trust.patience(0)).toBe(0.75);
    trust.delivered(1);
    expect(trust.patience(0)).toBeCloseTo(0.85, 9);
    trust.delivered(0.5);
    expect(trust.patience(0)).toBeCloseTo(0.9, 9);
    for (let at = 0; at < 9; at++) trust.delivered(1);
    expect(trust.patience(0)).toBe(1);
  });

  it("shrinks with a rescue, by as much as had to be rescued", () => {
    trust.rescued(0.5, 2, 30, 0);
    expect(trust.patience(0)).toBeCloseTo(0.65625, 9);
  });

  it("is none after a stall, for a minute", () => {
    trust.stalled(10);
    expect([trust.patience(69), trust.patience(70)]).toStrictEqual([0, 0.75]);
  });
});
