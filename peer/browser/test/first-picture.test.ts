/** The first picture: when what waits for it goes on. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { FirstPicture } from "../src/first-picture";

let picture: FirstPicture;
const told = vi.fn();

/** When it is there, in milliseconds from now; as far as one looks. */
async function seenAfter(most: number): Promise<number | null> {
  for (let at = 0; at <= most; at += 50) {
    if (picture.isThere) return at;
    expect(told).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(50);
  }
  return null;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("self", globalThis);
  vi.clearAllMocks();
  picture = new FirstPicture();
  void picture.there.then(told);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a first picture", () => {
  it("has a moment for being drawn", async () => {
    picture.shown();
    picture.shown();
    expect(await seenAfter(1_000)).toBe(100);
    expect(told).toHaveBeenCalledOnce();
    picture.shown(); // of a second one nobody takes notice
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toHaveBeenCalledOnce();
  });

  it("is not waited for for long once there is something to show", async () => {
    expect(await seenAfter(60_000)).toBeNull();
    picture.arrived();
    await vi.advanceTimersByTimeAsync(1_000);
    picture.arrived(); // the second segment is no reason to wait longer
    expect(await seenAfter(5_000)).toBe(1_000);
  });

  it("may come before that", async () => {
    picture.arrived();
    await vi.advanceTimersByTimeAsync(500);
    picture.shown();
    expect(await seenAfter(5_000)).toBe(100);
  });

  it("may be given up, whatever is heard of it later", async () => {
    picture.arrived();
    picture.giveUp();
    picture.shown();
    expect(await seenAfter(5_000)).toBeNull();
  });
});
