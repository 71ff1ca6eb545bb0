/** What we can send: measured on channels that drain as real ones do, and never overdrawn. */

import { describe, expect, it } from "vitest";

import { Uplink } from "../../src/core/uplink";

const FIRST_RATE = 625_000;
const FRAME = 16_384;
const STEP = 0.001;

/**
 * A line of so many bytes a second, shared by channels; it tells as shells do: when half of what was
 * in a channel's buffer after sending has gone.
 */
class Line {
  now = 0;
  /** Bytes that were in all buffers at once. */
  most = 0;
  sent = 0;
  private readonly buffers = new Map<number, number>();
  private readonly tellAt = new Map<number, number>();

  constructor(
    readonly uplink: Uplink,
    public rate: number,
  ) {}

  /** So many seconds in which each link has always more to send. */
  keepBusy(seconds: number, ...links: number[]): void {
    for (let step = 0; step < Math.round(seconds / STEP); step++) {
      this.fill(links);
      this.drain();
    }
  }

  rest(seconds: number): void {
    for (let step = 0; step < Math.round(seconds / STEP); step++) this.drain();
  }

  private fill(links: readonly number[]): void {
    for (let free = [...links]; free.length; ) {
      free = free.filter((link) => this.uplink.hasRoom(link, this.now));
      for (const link of free) {
        const left = (this.buffers.get(link) ?? 0) + FRAME;
        this.uplink.sent(link, FRAME, this.now);
        this.buffers.set(link, left);
        this.tellAt.set(link, left / 2);
        this.sent += FRAME;
      }
    }
    this.most = Math.max(this.most, [...this.buffers.values()].reduce((a, b) => a + b, 0));
  }

  private drain(): void {
    this.now += STEP;
    const waiting = [...this.buffers].filter(([, left]) => left > 0);
    for (const [link, before] of waiting) {
      const left = Math.max(before - (this.rate * STEP) / waiting.length, 0);
      this.buffers.set(link, left);
      if (left > (this.tellAt.get(link) ?? -1)) continue;
      this.tellAt.delete(link);
      this.uplink.drained(link, Math.floor(left), this.now);
    }
  }
}

describe("what it measures", () => {
  it("is not told by what went while nobody listened", () => {
    const uplink = new Uplink();
    uplink.sent(1, 4 * FRAME, 0);
    uplink.overslept(2);
    uplink.drained(1, 2 * FRAME, 2.05);
    expect(uplink.measured).toBe(false);
    uplink.drained(1, 0, 2.15);
    expect(uplink.rate).toBeCloseTo((2 * FRAME) / 0.1, 3);
  });

  it("is nothing at first", () => {
    const { rate, measured } = new Uplink();
    expect([rate, measured]).toStrictEqual([FIRST_RATE, false]);
  });

  it.each([
    [40_000, 1],
    [125_000, 3],
    [625_000, 1],
    [2_500_000, 3],
  ])("is how fast a busy line is: %i bytes a second over %i links", (rate, links) => {
    const line = new Line(new Uplink(), rate);
    line.keepBusy(12, ...Array(links).keys());
    expect(line.uplink.measured).toBe(true);
    expect(line.uplink.rate / rate).toBeGreaterThan(0.75);
    expect(line.uplink.rate / rate).toBeLessThan(1.25);
  });

  it("is no less than before where that does not last", () => {
    const uplink = new Uplink();
    uplink.sent(1, 4 * FRAME, 0);
    uplink.drained(1, 0, 0.025);
    const before = uplink.rate;
    uplink.sent(1, FRAME, 1);
    uplink.drained(1, 0, 1.099);
    expect(uplink.rate).toBe(before);
    uplink.sent(1, FRAME, 2);
    uplink.drained(1, 0, 2.1);
    expect(uplink.rate).toBeLessThan(before);
  });

  it.each([
    [0.6, true],
    [0.4, false],
  ])("is what has gone, unless measured at %d of that: %s", (share, raised) => {
    const uplink = new Uplink();
    [uplink.rate, uplink.measured] = [1e6, true];
    for (let at = 0; at < 12; at++) {
      uplink.sent(1, 65_536, 0);
      uplink.drained(1, 0, 0);
    }
    const went = (12 * 65_536 - 262_144) / 0.5;
    expect(uplink.rate).toBe(went);
    uplink.sent(1, 4 * FRAME, 0);
    uplink.drained(1, 0, (4 * FRAME) / (share * went));
    expect(uplink.rate > 0.9 * went).toBe(raised);
  });

  it("is nothing where too few bytes go, or pauses are between them", () => {
    const uplink = new Uplink();
    uplink.sent(1, 16_383, 0);
    uplink.drained(1, 0, 10);
    expect(uplink.measured).toBe(false);
  });

  it.each([1, 4, 16])("is nothing where SCTP has taken all at once: of %i links", (links) => {
    const uplink = new Uplink();
    for (let turn = 0, now = 0; turn < 20; turn++) {
      for (let link = 0; link < links; link++) give(uplink, link, 262_144, now);
      now += Math.max((links * 262_144) / FIRST_RATE, 1);
    }
    expect([uplink.rate, uplink.measured]).toStrictEqual([FIRST_RATE, false]);
  });

  it.each([1, 4, 8])("is that a line is fast, over %i links, though it is done at once", (links) => {
    const uplink = new Uplink();
    for (let turn = 0; turn < 200; turn++) {
      for (let number = 0; number < 16; number++) {
        if (uplink.busy(number * 65_536, 0.2, turn * 0.05) !== null) continue;
        give(uplink, (turn + number) % links, 65_536, turn * 0.05);
      }
    }
    expect(uplink.rate).toBeGreaterThan(4_000_000);
  });

  it("is nothing of a link that is over", () => {
    const uplink = new Uplink();
    for (let link = 0; link < 100; link++) {
      give(uplink, link, 2 * 262_144, 0);
      uplink.forget(link);
    }
    expect(uplink.rate).toBe(FIRST_RATE);
  });
});

/** A channel that takes it all at once. */
function give(uplink: Uplink, link: number, size: number, now: number): void {
  for (let left = size; left > 0; left -= 65_536) {
    uplink.sent(link, 65_536, now);
    uplink.drained(link, 0, now + STEP);
  }
}

describe("what it keeps in the buffers", () => {
  it("keeps a line busy, and holds little of a slow one", () => {
    const line = new Line(new Uplink(), 40_000);
    line.keepBusy(10, 1);
    line.most = 0;
    const before = line.sent;
    line.keepBusy(5, 1);
    expect(line.most).toBeLessThanOrEqual(32_768 + FRAME);
    expect(line.sent - before).toBeGreaterThan(0.9 * 5 * 40_000);
  });

  it("leaves room for other links", () => {
    const uplink = new Uplink();
    while (uplink.hasRoom(1, 0)) uplink.sent(1, FRAME, 0);
    expect(uplink.hasRoom(2, 0)).toBe(true);
  });

  it("has room again when it says so", () => {
    const uplink = new Uplink();
    let link = 0;
    for (; uplink.hasRoom(link, 0); link++) uplink.sent(link, FRAME, 0);
    expect(uplink.hasRoom(link, uplink.roomAt(0))).toBe(true);
  });

  it("does not wait for channels that never tell", () => {
    const line = new Line(new Uplink(), 40_000);
    line.keepBusy(5, 1);
    line.uplink.sent(2, FRAME, line.now);
    line.rest(2);
    expect(line.uplink.busy(0, 0.2, line.now)).toBeNull();
  });

  it("gives no more to a channel that has not told, however fast the others are", () => {
    const uplink = new Uplink();
    const half = Math.ceil((0.15 * FIRST_RATE) / 2);
    uplink.sent(1, half, 0);
    expect([uplink.hasRoom(1, 0.2), uplink.hasRoom(2, 0.2)]).toStrictEqual([false, true]);
    uplink.drained(1, 0, 0.2);
    expect(uplink.hasRoom(1, 0.2)).toBe(true);
  });

  it("takes no rate before all channels have told", () => {
    const uplink = new Uplink();
    uplink.sent(1, 40_000, 0);
    uplink.sent(2, 40_000, 0);
    uplink.drained(1, 20_000, 0.1);
    expect(uplink.measured).toBe(false);
    uplink.drained(2, 20_000, 0.2);
    expect([uplink.measured, uplink.rate]).toStrictEqual([true, 200_000]);
  });

  it("forgets links that are over", () => {
    const uplink = new Uplink();
    uplink.sent(1, FRAME, 0);
    uplink.forget(1);
    uplink.drained(1, 0, 1);
    expect(uplink.measured).toBe(false);
  });
});

describe("who would wait too long", () => {
  it.each([
    [0.2, 0.2, false, null],
    [0.4, 0.2, false, 0.3],
    [20, 0.2, false, 2],
    [0.15, 0.1, false, 0.1],
    [0.02, 0.015, false, 0.02],
    [0.1, 0.2, true, 0.075],
    [0.05, 0.2, true, null],
  ])("%d s (patience %d s, our player first: %s) waits", (backlog, patience, yielding, wait) => {
    const uplink = new Uplink();
    uplink.yielding = yielding;
    const told = uplink.busy(backlog * FIRST_RATE, patience, 0);
    if (wait === null) expect(told).toBeNull();
    else expect(told).toBeCloseTo(wait, 9);
  });

  it("comes back one after the other", () => {
    const uplink = new Uplink();
    const turns = [1, 2, 3].map(() => uplink.busy(0.4 * FIRST_RATE, 0.2, 0) ?? NaN);
    const chunk = (0.25 * 65_536) / FIRST_RATE;
    expect(turns[1]).toBeCloseTo(0.3 + chunk, 9);
    expect(turns[2]).toBeCloseTo(0.3 + 2 * chunk, 9);
  });

  it("waits for what is in the buffers as well, which goes by itself", () => {
    const uplink = new Uplink();
    uplink.sent(1, 0.4 * FIRST_RATE, 0);
    expect(uplink.busy(0, 0.2, 0)).toBeCloseTo(0.3, 9);
    uplink.drained(1, 0.2 * FIRST_RATE, 0.2);
    expect(uplink.busy(0, 0.2, 0.3)).toBeNull();
  });
});
