/** What is on its way in and what has arrived: counted once, checked, and bounded. */

import { beforeEach, describe, expect, it } from "vitest";

import type { Event } from "../../src/core/ports";
import { newStats, type Stats } from "../../src/core/stats";
import { Store } from "../../src/core/store";
import { Transfers, type TransferEvent } from "../../src/core/transfers";
import { CHUNK_SIZE, segmentId, type SegmentKey } from "../../src/model";
import type { RenditionManifest } from "../../src/wire/manifest";
import { CONTENT, Media } from "./media";

const LENGTH = CHUNK_SIZE + 100;
const media = new Media(
  Array.from({ length: 20 }, (_, sequence) => {
    return { rendition: "v", sequence, length: LENGTH, duration: 2000 };
  }),
  false,
);
const segment = (sequence: number): SegmentKey => ({ rendition: "v", sequence });
const bytes = (sequence: number) => media.bytesOf(segment(sequence));

let stats: Stats;
let transfers: Transfers;

beforeEach(() => {
  let last = 0;
  stats = newStats();
  transfers = new Transfers(CONTENT, new Store(10_000_000), stats, () => ++last);
});

/** Makes segments known. */
function learn(...sequences: number[]): void {
  transfers.need(new Map([["v", sequences]]), new Map(), 0);
  transfers.receive({ type: "ManifestArrived", page: media.page("v", 0, 0) }, 0);
  answer();
}

/** Answers what is asked for manifests and checks, until nothing is; returns the other events. */
function answer(ok = true): TransferEvent[] {
  const others: TransferEvent[] = [];
  for (;;) {
    const events = transfers.takeEvents();
    if (!events.length) return others;
    for (const event of events) {
      if (event.type === "Check") {
        transfers.receive({ type: "Checked", check: event.check, ok }, 0);
      } else if (event.type === "FetchHashes") {
        const { rendition, sequences } = event;
        const data = media.hashes(rendition, sequences, 0);
        transfers.receive({ type: "HashesArrived", rendition, sequences, data }, 0);
      } else if (event.type !== "FetchManifest") {
        others.push(event);
      }
    }
  }
}

function demand(sequence: number, within = 10, company = false): void {
  transfers.demand({ type: "Demand", key: segment(sequence), within }, company, 0);
}

/** Asks the origin for chunks of a segment that is demanded; returns the fetch's number. */
function fetch(sequence: number, first: number, last: number): number {
  const transfer = transfers.transfer(segment(sequence));
  if (!transfer) throw new Error("not demanded");
  transfers.fetch(transfer, [first, last], "turn", 0);
  const asked = transfers.takeEvents().find(({ type }) => type === "FetchRange") as Event;
  return asked.type === "FetchRange" ? asked.fetch : NaN;
}

const done = { type: "RangeDone", ttfb: 0.1, took: 0.2, cached: false } as const;

describe("a fetch", () => {
  beforeEach(() => {
    learn(1);
    demand(1);
  });

  it("brings a segment, whose bytes count once", () => {
    const number = fetch(1, 0, 1);
    transfers.receive({ type: "RangeData", fetch: number, data: bytes(1) }, 0);
    transfers.receive({ ...done, fetch: number }, 0);
    expect(answer().map(({ type }) => type)).toStrictEqual(["Kept", "Kept", "SegmentReady"]);
    expect([stats.originBytes, stats.cacheBytes, transfers.wasted]).toStrictEqual([LENGTH, 0, 0]);
  });

  it("is late after a second without a byte, or when all of it should be there", () => {
    const number = fetch(1, 0, 1);
    expect(transfers.lateAt(0)).toBe(1);
    expect(transfers.fetched(segment(1), 0.9)).toStrictEqual({ left: 0b11n, late: 0n });
    expect(transfers.fetched(segment(1), 1)).toStrictEqual({ left: 0b11n, late: 0b11n });
    expect(transfers.lateAt(1)).toBeNull();
    const data = bytes(1).slice(0, CHUNK_SIZE);
    transfers.receive({ type: "RangeData", fetch: number, data }, 0.9);
    expect(transfers.lateAt(0.9)).toBe(transfers.http.takes(LENGTH));
    expect(transfers.fetched(segment(1), 1)).toStrictEqual({ left: 0b10n, late: 0n });
  });

  it("shares the line with others, and has as much more time", () => {
    const numbers = [fetch(1, 0, 0), fetch(1, 1, 1)];
    for (const [chunk, number] of numbers.entries()) {
      const data = bytes(1).slice(chunk * CHUNK_SIZE, chunk * CHUNK_SIZE + 50);
      transfers.receive({ type: "RangeData", fetch: number, data }, 2);
    }
    const { http } = transfers;
    expect(transfers.lateAt(0)).toBe(http.takes(CHUNK_SIZE));
    expect(transfers.lateAt(http.takes(CHUNK_SIZE))).toBe(http.takes(LENGTH));
  });

  it("may still bring what a link that was asked as well does not", () => {
    fetch(1, 1, 1);
    const transfer = transfers.transfer(segment(1));
    for (const chunk of [0, 1]) {
      transfer?.askedPeer(chunk);
      transfers.lost({ ...segment(1), chunk });
    }
    expect(transfer).toMatchObject({ missing: 0b01n, peer: 0n, origin: 0b10n });
  });

  it("may turn out to have come from a cache, and says nothing about the origin then", () => {
    const { ttfb, rate } = transfers.http;
    const number = fetch(1, 0, 1);
    transfers.receive({ type: "RangeData", fetch: number, data: bytes(1) }, 0);
    transfers.receive({ ...done, fetch: number, cached: true }, 0);
    answer();
    expect([stats.originBytes, stats.cacheBytes]).toStrictEqual([0, LENGTH]);
    expect(transfers.http).toMatchObject({ ttfb, rate });
  });

  it("says how fast the origin is, if it brought enough to tell", () => {
    const number = fetch(1, 0, 0);
    transfers.receive({ type: "RangeData", fetch: number, data: bytes(1).slice(0, CHUNK_SIZE) }, 0);
    transfers.receive({ ...done, fetch: number }, 0);
    expect(transfers.http.ttfb).toBe(0.1);
    expect(transfers.http.rate).toBeCloseTo(CHUNK_SIZE / 0.1, 6);
    const known = transfers.http.rate;
    const small = fetch(1, 1, 1);
    transfers.receive({ type: "RangeData", fetch: small, data: bytes(1).slice(CHUNK_SIZE) }, 0);
    transfers.receive({ ...done, fetch: small }, 0);
    expect(transfers.http.rate).toBe(known);
  });

  it("is waste when nobody waits for it any more", () => {
    const number = fetch(1, 0, 1);
    transfers.release(segment(1));
    expect(answer()).toMatchObject([{ type: "AbortRange", fetch: number }, { type: "Dropped" }]);
    transfers.receive({ type: "RangeData", fetch: number, data: bytes(1) }, 0);
    expect([transfers.wasted, answer()]).toStrictEqual([LENGTH, []]);
  });

  it.each([
    ["too little", 50, [{ type: "Dropped", chunks: [0, 1] }]],
    ["too much", LENGTH + 1, [{ type: "AbortRange" }, { type: "Dropped", chunks: [0, 1] }]],
  ])("is blamed for %s", (_, size, events) => {
    const number = fetch(1, 0, 1);
    transfers.receive({ type: "RangeData", fetch: number, data: new Uint8Array(size) }, 0);
    transfers.receive({ ...done, fetch: number }, 0);
    expect(answer()).toMatchObject(events);
    expect(transfers.transfer(segment(1))?.originFailures).toBe(1);
    expect(transfers.wasted).toBe(size);
  });

  it("is blamed once for all that was wrong in it, and one past all caches ends the demand", () => {
    const failures = [1, 2].map(() => {
      const number = fetch(1, 0, 1);
      transfers.receive({ type: "RangeData", fetch: number, data: bytes(1) }, 0);
      const events = answer(false).map(({ type }) => type);
      expect(events.filter((type) => type === "ChunkRejected")).toHaveLength(2);
      return events.includes("SegmentFailed");
    });
    expect(failures).toStrictEqual([false, true]);
    expect([stats.rejectedChunks, stats.originBytes]).toStrictEqual([4, 0]);
    expect(transfers.wasted).toBe(2 * LENGTH);
  });
});

describe("what was loaded past us", () => {
  const loaded = (sequence: number, more = {}): void => {
    const key = segment(sequence);
    const data = bytes(sequence);
    transfers.receive({ type: "Loaded", key, data, cached: false, ...more }, 0);
  };

  it("is kept once it is known, and counts at once", () => {
    loaded(1);
    expect([stats.originBytes, answer()]).toStrictEqual([LENGTH, []]);
    learn(1);
    expect(transfers.store.sizeOf(segment(1))).toBe(LENGTH);
    expect([stats.originBytes, transfers.wasted]).toStrictEqual([LENGTH, 0]);
  });

  it("counts what we held already as waste", () => {
    learn(1);
    loaded(1);
    answer();
    loaded(1, { cached: true });
    answer();
    expect([stats.originBytes, stats.cacheBytes]).toStrictEqual([LENGTH, 0]);
    expect(transfers.wasted).toBe(LENGTH);
  });

  it("waits for its hashes, the last eight segments of it", () => {
    for (let sequence = 0; sequence < 9; sequence++) loaded(sequence);
    learn();
    const held = transfers.store.segments().map(({ sequence }) => sequence);
    expect(held).toStrictEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("is of no use if it is not what the manifest says", () => {
    learn(1);
    loaded(1, { data: bytes(1).slice(1) });
    expect([answer(), transfers.store.size]).toStrictEqual([[], 0]);
  });

  it("says how fast the origin is, if it was measured", () => {
    const { rate } = transfers.http;
    loaded(1, { ttfb: 0.1, took: 0.6, cached: true });
    expect(transfers.http.rate).toBe(rate);
    loaded(2, { ttfb: 0.1, took: 0.6 });
    expect(transfers.http.rate).toBeCloseTo(LENGTH / 0.5, 6);
  });

  it("did not come at once with others that waited for us, too", () => {
    loaded(1, { ttfb: 0.1, took: 0.6, at: -2 });
    loaded(2, { ttfb: 0.1, took: 0.6, at: -1 });
    expect(transfers.http.rate).toBeCloseTo(LENGTH / 0.5, 6);
  });
});

describe("a demand", () => {
  const failed = { type: "SegmentFailed", key: segment(1), reason: "missing" };

  it.each([
    ["nobody could bring it", 10, false],
    ["there is no time", 6, true], // 1 MB, at 200 KB/s, and a second in hand
  ])("of what is not known fails at once if %s", (_, within, company) => {
    demand(1, within, company);
    expect(transfers.takeEvents()).toStrictEqual([failed]);
  });

  it("of what is not known waits until the origin has to be asked", () => {
    demand(1, 10, true);
    expect([transfers.takeEvents(), transfers.timerAt()]).toStrictEqual([[], 4]);
    transfers.onTimer(4);
    expect(transfers.takeEvents()).toStrictEqual([failed]);
  });

  it("that is in no hurry waits without company for what the origin says", () => {
    demand(1, Infinity, false);
    expect(transfers.takeEvents()).toStrictEqual([]);
    learn();
    expect(transfers.transfer(segment(1))?.demanded).toBe(Infinity);
  });

  it("goes on when the segment becomes known", () => {
    demand(1, 10, true);
    learn();
    expect(transfers.transfer(segment(1))?.demanded).toBe(10);
    transfers.onTimer(4);
    expect(answer()).toStrictEqual([]);
  });

  it("may be taken back meanwhile", () => {
    demand(1, 10, true);
    transfers.release(segment(1));
    expect([transfers.timerAt(), transfers.takeEvents()]).toStrictEqual([null, []]);
  });
});

describe("chunks from links", () => {
  beforeEach(() => {
    learn(1);
    demand(1);
  });

  it("count when they are checked, and only one copy of each", () => {
    const data = bytes(1).slice(0, CHUNK_SIZE);
    transfers.fromLink(7, { ...segment(1), chunk: 0 }, data, 0);
    transfers.fromLink(8, { ...segment(1), chunk: 0 }, data, 0);
    expect(answer()).toMatchObject([{ type: "Kept", link: 7, size: CHUNK_SIZE }]);
    expect([stats.peerBytes, transfers.wasted]).toStrictEqual([CHUNK_SIZE, CHUNK_SIZE]);
  });

  it("of a segment that nobody wants are waste", () => {
    transfers.fromLink(7, { ...segment(2), chunk: 0 }, bytes(2), 0);
    expect([answer(), transfers.wasted]).toStrictEqual([[], LENGTH]);
  });

  it("that are wrong leave the origin out of it", () => {
    transfers.fromLink(7, { ...segment(1), chunk: 0 }, bytes(1).slice(0, CHUNK_SIZE), 0);
    expect(answer(false)).toMatchObject([{ type: "ChunkRejected", link: 7, chunk: 0 }]);
    expect(transfers.transfer(segment(1))).toMatchObject({ stale: false, originFailures: 0 });
  });

  it("are remembered as not given to the player when they are dropped, but not for ever", () => {
    let last = 0;
    transfers = new Transfers(CONTENT, new Store(0), stats, () => ++last);
    learn(1);
    demand(1);
    transfers.release(segment(1));
    const others = Array.from({ length: 1024 }, (_, sequence) => ({ rendition: "w", sequence }));
    for (const key of others) transfers.ahead.set(segmentId(key), key);
    const data = bytes(1);
    transfers.fromLink(7, { ...segment(1), chunk: 0 }, data.slice(0, CHUNK_SIZE), 0);
    transfers.fromLink(7, { ...segment(1), chunk: 1 }, data.slice(CHUNK_SIZE), 0);
    answer();
    transfers.evict(1, new Set());
    expect(transfers.takeEvents()).toMatchObject([{ type: "Dropped", chunks: [0, 1] }]);
    expect([...transfers.ahead.values()]).toStrictEqual([...others.slice(1), segment(1)]);
  });

  it("that nobody checks count as wrong after 5 s", () => {
    transfers.fromLink(7, { ...segment(1), chunk: 0 }, bytes(1).slice(0, CHUNK_SIZE), 0);
    transfers.takeEvents();
    expect(transfers.timerAt()).toBe(5);
    transfers.onTimer(5);
    expect(transfers.takeEvents()).toMatchObject([{ type: "ChunkRejected", link: 7 }]);
  });

  it("abort the fetch that has nothing left to bring", () => {
    const number = fetch(1, 1, 1);
    transfers.fromLink(7, { ...segment(1), chunk: 1 }, bytes(1).slice(CHUNK_SIZE), 0);
    expect(answer()).toMatchObject([{ type: "Kept" }, { type: "AbortRange", fetch: number }]);
  });
});

describe("a segment", () => {
  it("is held when all its chunks are", () => {
    learn(1);
    expect([transfers.holds(segment(1)), transfers.holds(segment(99))]).toStrictEqual([false, false]);
    transfers.receive({ type: "Loaded", key: segment(1), data: bytes(1), cached: false }, 0);
    answer();
    expect(transfers.holds(segment(1))).toBe(true);
  });

  it("is known since its hashes were proved", () => {
    expect(transfers.knownAt(segment(1), 7)).toBe(7);
    learn(1);
    expect(transfers.knownAt(segment(1), 7)).toBe(0);
    expect(transfers.begin(segment(1), 7)).toMatchObject({ since: 7, knownAt: 0 });
  });

  it("weighs as much as its like, as far as that is known", () => {
    expect(transfers.usualBytes("v")).toBe(1_000_000);
    learn(1);
    expect(transfers.usualBytes("v")).toBe(LENGTH);
  });
});

describe("transfers", () => {
  it("end when they are neither demanded, nor ahead, nor under way", () => {
    learn(1, 2, 3, 4);
    demand(1);
    for (const sequence of [2, 3, 4]) transfers.begin(segment(sequence), 0);
    transfers.transfer(segment(3))?.askedPeer(0);
    transfers.keepOnly(new Set([segmentId(segment(4))]));
    expect(transfers.open().map(({ key }) => key.sequence)).toStrictEqual([1, 3, 4]);
  });

  it("of a rendition that begins anew are over, and what was held of it is gone", () => {
    learn(1, 2);
    demand(1);
    transfers.fromLink(7, { ...segment(1), chunk: 1 }, bytes(1).slice(CHUNK_SIZE), 0);
    answer();
    const page = media.page("v", 0, 0);
    const segments = page.segments.map((record) => ({ ...record, root: "0".repeat(64) }));
    transfers.receive({ type: "ManifestArrived", page: { ...page, time: 2, era: 2, segments } }, 0);
    const events = transfers.takeEvents().filter(({ type }) => !type.startsWith("Fetch"));
    expect(events).toStrictEqual([
      { type: "SegmentFailed", key: segment(1), reason: "integrity" },
      { type: "Dropped", segment: segment(1), chunks: [1] },
      { type: "Forgotten", segment: segment(1), chunks: 2 },
      { type: "Anew", rendition: "v" },
    ]);
    expect([transfers.store.size, transfers.knows(segment(1))]).toStrictEqual([0, false]);
  });

  it("that are wrong past all caches are over, and what the rendition is now is asked for", () => {
    learn(1);
    for (const fresh of [false, true]) {
      demand(1);
      expect(transfers.transfer(segment(1))?.stale).toBe(fresh);
      const number = fetch(1, 0, 1);
      const data = bytes(1).slice(0, CHUNK_SIZE);
      transfers.receive({ type: "RangeData", fetch: number, data }, 0);
      for (const event of transfers.takeEvents()) {
        if (event.type === "Check") transfers.receive({ type: "Checked", check: event.check, ok: false }, 0);
      }
      const told = transfers.takeEvents().map(({ type }) => type);
      expect(told.includes("FetchManifest")).toBe(fresh);
      expect(told.includes("SegmentFailed")).toBe(fresh);
      transfers.receive({ type: "RangeFailed", fetch: number, reason: "closed" }, 0);
      transfers.takeEvents();
    }
    expect([stats.rejectedChunks, stats.originMismatches]).toStrictEqual([2, 2]);
  });

  it("of a rendition that begins anew leave nothing, not even of what had left it", () => {
    learn(1, 2);
    demand(1);
    transfers.fromLink(7, { ...segment(1), chunk: 1 }, bytes(1).slice(CHUNK_SIZE), 0);
    answer();
    const page = media.page("v", 0, 0);
    const arrives = (more: Partial<RenditionManifest>): void => {
      transfers.receive({ type: "ManifestArrived", page: { ...page, segments: [], ...more } }, 0);
    };
    arrives({ time: 2, first: 3 });
    expect(transfers.store.size).toBeGreaterThan(0);
    arrives({ time: 3, era: 3 });
    expect(transfers.store.size).toBe(0);
  });
});
