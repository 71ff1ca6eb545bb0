/** The core's requests, by the player's ways: where they lie, what they bring, what they cost. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { FetchRange, Input } from "../src/core/ports";
import type { RangeRequest, RangeSink } from "../src/http-source";
import type { Meters } from "../src/meters";
import type { Located, Player } from "../src/player";
import { Ranges } from "../src/ranges";

const KEY = { rendition: "x.m3u8", sequence: 7 };
const URL = "https://cdn.example/media/seg7.ts";
const EVENT: FetchRange = {
  type: "FetchRange",
  fetch: 1,
  key: KEY,
  span: [0, 999],
  whole: true,
  fresh: false,
  rule: "turn",
};

let located: Located | undefined;
let byRecord: Located | undefined;
let cached: boolean;
let request: RangeRequest | undefined;
let sink: RangeSink;
let ranges: Ranges;
let httpBytes: number;
const told: Input[] = [];
const progress = vi.fn();
const stop = vi.fn();
const measured = vi.fn();
const source = vi.fn();

beforeEach(() => {
  vi.clearAllMocks();
  told.length = 0;
  httpBytes = 0;
  cached = false;
  located = { url: URL, offset: 0, whole: true };
  byRecord = undefined;
  source.mockImplementation((given: RangeRequest, into: RangeSink) => {
    request = given;
    sink = into;
    return stop;
  });
  const player = { locate: () => located, source: () => source } as unknown as Player;
  const meters = {
    throughput: { measured },
    cache: { expect: () => () => Promise.resolve({ cached, body: Infinity }) },
  } as unknown as Meters;
  ranges = new Ranges(player, meters, {
    tell: (input) => told.push(input),
    locate: () => byRecord,
    progress,
    count: (bytes) => (httpBytes += bytes),
  });
});
afterEach(() => {
  ranges.abortAll();
});

async function settle(): Promise<void> {
  for (let at = 0; at < 5; at++) await Promise.resolve();
}

describe("what is asked for", () => {
  it.each([
    ["all of a file", true, true, 0, undefined],
    ["a part of a file", false, true, 0, [0, 999]],
    ["all of a segment that is a part of a file", true, false, 500, [500, 1_499]],
  ])("%s", (_, whole, alone, offset, range) => {
    located = { url: URL, offset, whole: alone };
    ranges.fetch({ ...EVENT, whole });
    expect(request).toStrictEqual({ url: URL, range, fresh: false });
    sink.data(new Uint8Array(7));
    expect(progress.mock.calls).toStrictEqual(whole ? [[KEY, 0], [KEY, 7]] : []); // prettier-ignore
  });

  it("makes progress only by what comes, not by the sign that something does", () => {
    ranges.fetch(EVENT);
    sink.data(new Uint8Array());
    expect(progress.mock.calls).toStrictEqual([[KEY, 0]]); // when it was asked for
    expect(told).toStrictEqual([{ type: "RangeData", fetch: EVENT.fetch, data: new Uint8Array() }]);
  });

  it("by its record, where no playlist names it yet", () => {
    located = undefined;
    byRecord = { url: "https://cdn.example/media/new.ts", offset: 500, whole: false };
    ranges.fetch(EVENT);
    expect(request).toMatchObject({ url: byRecord.url, range: [500, 1_499] });
  });

  it("and can't be found, or not be asked for, has failed", () => {
    located = undefined;
    ranges.fetch(EVENT);
    located = { url: URL, offset: 0, whole: true };
    source.mockImplementationOnce(() => {
      throw new Error("the page's own");
    });
    ranges.fetch({ ...EVENT, fetch: 2 });
    expect(told).toStrictEqual([
      { type: "RangeFailed", fetch: 1, reason: "missing" },
      { type: "RangeFailed", fetch: 2, reason: "unreachable" },
    ]);
    expect(ranges.busy(KEY)).toBe(false);
  });
});

describe("what it brings", () => {
  beforeEach(() => {
    ranges.fetch(EVENT);
  });

  it("is handed on, counted and measured", async () => {
    expect(ranges.busy(KEY)).toBe(true);
    const data = new Uint8Array(1_000);
    sink.data(data);
    sink.done(0.1, 0.3);
    expect(ranges.busy(KEY)).toBe(false);
    await settle();
    expect(told).toStrictEqual([
      { type: "RangeData", fetch: 1, data },
      { type: "RangeDone", fetch: 1, ttfb: 0.1, took: 0.3, cached: false },
    ]);
    expect(httpBytes).toBe(1_000);
    expect(measured).toHaveBeenCalledExactlyOnceWith(1_000, 0.1, 0.3);
  });

  it("by the browser's cache has cost nothing, and says nothing of the origin", async () => {
    cached = true;
    sink.data(new Uint8Array(1_000));
    sink.done(0.001, 0.002);
    await settle();
    expect(told.at(-1)).toMatchObject({ type: "RangeDone", cached: true });
    expect(httpBytes).toBe(0);
    expect(measured).not.toHaveBeenCalled();
  });

  it("and loses has cost something all the same", () => {
    sink.lost(300);
    sink.failed("timeout");
    expect(told).toStrictEqual([{ type: "RangeFailed", fetch: 1, reason: "timeout" }]);
    expect(httpBytes).toBe(300);
  });

  it("is no longer wanted once it is aborted", () => {
    ranges.abort(1);
    ranges.abort(1);
    expect(stop).toHaveBeenCalledOnce();
    expect(ranges.busy(KEY)).toBe(false);
    expect(told).toStrictEqual([]);
  });
});
