/** Where the player is, and when it needs what. */

import { describe, expect, it } from "vitest";

import { Playhead } from "../../src/core/playhead";
import type { Playing } from "../../src/core/ports";

const playing = (buffer: number, live = false): Playing => {
  return { type: "Playing", rendition: "v", head: 5, last: 99, buffer, live, target: 20 };
};

/** A play head at segment 5, of a player that was given something. */
function playheadAt(buffer = 10, started = true): Playhead {
  const playhead = new Playhead();
  playhead.started = started;
  playhead.moved(playing(buffer), 0);
  return playhead;
}

describe("a play head", () => {
  it("is nowhere before the player has said anything", () => {
    const playhead = new Playhead();
    expect([playhead.live, playhead.buffer(0), playhead.reached()]).toStrictEqual([false, 0, -1]);
    expect(playhead.target).toBe(30);
  });

  it("has asked for nothing of what began anew", () => {
    const playhead = playheadAt();
    playhead.asked({ rendition: "v", sequence: 9 });
    playhead.forget("w");
    expect(playhead.reached()).toBe(9);
    playhead.forget("v");
    expect(playhead.reached()).toBe(4);
  });

  it("plays the buffer as time passes", () => {
    const playhead = playheadAt();
    expect(playhead.target).toBe(20);
    expect([playhead.buffer(4), playhead.buffer(14)]).toStrictEqual([6, 0]);
    playhead.moved(playing(9, true), 14);
    expect([playhead.buffer(14), playhead.live]).toStrictEqual([9, true]);
  });

  it("stalls once when it runs dry", () => {
    const playhead = playheadAt();
    expect([0.05, 0, 4, 0].map((buffer, at) => playhead.moved(playing(buffer), at))).toStrictEqual(
      [true, false, false, true],
    );
  });

  it("does not stall before it was given anything", () => {
    expect(playheadAt(10, false).moved(playing(0), 1)).toBe(false);
  });

  it("is waited for until something was given, or is in the buffer", () => {
    expect(new Playhead().starting(0)).toBe(true);
    expect([playheadAt(0, false), playheadAt(0), playheadAt(10, false)].map((at) => at.starting(0)))
      .toStrictEqual([true, false, false]); // prettier-ignore
  });

  it("has reached what the player asked for last, of each rendition", () => {
    const playhead = playheadAt();
    expect(playhead.reached()).toBe(4);
    playhead.asked({ rendition: "v", sequence: 6 });
    playhead.asked({ rendition: "w", sequence: 9 });
    expect(playhead.reached()).toBe(6);
    playhead.asked({ rendition: "v", sequence: 2 });
    expect(playhead.reached()).toBe(2);
  });

  it("gets to what lies ahead after the buffer, or after what is still to come", () => {
    const playhead = playheadAt();
    playhead.asked({ rendition: "v", sequence: 7 });
    expect([8, 10].map((sequence) => playhead.deadline(sequence, 2, null))).toStrictEqual([10, 14]);
    expect(playhead.deadline(8, 2, 10)).toBe(12);
  });

  it.each([
    [0, 4],
    [0.1, 5],
    [4, 5],
    [4.1, 6],
    [8, 6],
  ])("that has %f s of segments of 4 s need not be brought them", (buffer, reached) => {
    const playhead = new Playhead();
    playhead.takeStock(4, 0); // it plays nothing
    playhead.moved({ type: "Playing", rendition: "v", head: 5, last: 20, buffer, live: false }, 0);
    playhead.takeStock(4, 0);
    expect(playhead.reached()).toBe(reached);
    playhead.asked({ rendition: "v", sequence: 9 });
    playhead.takeStock(4, 0);
    expect(playhead.reached()).toBe(9);
    playhead.forgetAll();
    expect(playhead.reached()).toBe(4);
  });
});
