/** Answers of the origin and those of the browser's cache, told apart by Resource Timing. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { CacheWatch } from "../src/cache-watch";

const URL = "https://cdn.example/media/seg7.ts";

type Entry = Pick<
  PerformanceResourceTiming,
  "name" | "startTime" | "transferSize" | "encodedBodySize" | "responseStart" | "responseEnd"
>;

let observe: (entries: Entry[]) => void;

class Observer {
  constructor(callback: (list: { getEntries(): Entry[] }) => void) {
    observe = (entries) => {
      callback({ getEntries: () => entries });
    };
  }

  observe = vi.fn();
  disconnect = vi.fn();
}

function entry(more: Partial<Entry> = {}): Entry {
  const times = { startTime: 1_000, responseStart: 1_200, responseEnd: 1_250 };
  return { name: URL, transferSize: 800, encodedBodySize: 500, ...times, ...more };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.advanceTimersByTime(1_000);
  vi.stubGlobal("PerformanceObserver", Observer);
  vi.stubGlobal("location", { href: "https://page.example/" });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("an answer", () => {
  it.each([
    ["that was transferred is the origin's", {}, false],
    ["that was not transferred is the cache's", { transferSize: 0 }, true],
    ["that was only confirmed is the cache's", { transferSize: 300 }, true],
    ["that nothing may be said of is the origin's", { transferSize: 0, encodedBodySize: 0 }, false],
  ])("%s", async (_, more, cached) => {
    const verdict = new CacheWatch().expect(`${URL}#t=1`);
    observe([entry(more)]);
    expect(await verdict()).toMatchObject({ cached, body: 0.05 });
  });

  it("has taken nobody knows how long where the origin allows no look at its times", async () => {
    const verdict = new CacheWatch().expect(URL);
    observe([entry({ responseStart: 0 })]);
    expect(await verdict()).toMatchObject({ body: Infinity });
  });

  it("is the origin's if no entry comes in time", async () => {
    const verdict = new CacheWatch().expect(URL)();
    vi.advanceTimersByTime(100);
    expect(await verdict).toMatchObject({ cached: false, body: Infinity });
  });

  it("is not told by entries of other requests, or of earlier ones", async () => {
    const verdict = new CacheWatch().expect(URL);
    const cached = { transferSize: 0 };
    observe([entry({ ...cached, name: `${URL}?2` }), entry({ ...cached, startTime: 900 })]);
    observe([entry({ startTime: 999.5 })]);
    expect(await verdict()).toMatchObject({ cached: false });
  });

  it("is told for each of two requests by an entry of its own", async () => {
    const watch = new CacheWatch();
    const [first, second] = [watch.expect(URL), watch.expect(URL)];
    observe([entry({ transferSize: 0 }), entry()]);
    const both = await Promise.all([first(), second()]);
    expect(both.map(({ size }) => size)).toStrictEqual([500, 500]);
    expect(both.map(({ cached }) => cached)).toStrictEqual([true, false]);
  });

  it("is the origin's where there is no Resource Timing", async () => {
    vi.stubGlobal("PerformanceObserver", undefined);
    const verdict = new CacheWatch().expect(URL)();
    vi.advanceTimersByTime(0);
    expect(await verdict).toMatchObject({ cached: false, body: Infinity });
  });
});
