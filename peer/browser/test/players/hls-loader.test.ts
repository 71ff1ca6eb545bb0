/** The fragment loader, between a make-believe hls.js and a make-believe session. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Outcome } from "../../src/meters";
import type { SegmentKey } from "../../src/model";
import type { HlsPlayer } from "../../src/players/hls";
import { loaderFor } from "../../src/players/hls-loader";
import type {
  Loader,
  LoaderCallbacks,
  LoaderConfiguration,
  LoaderContext,
  LoadStats,
} from "../../src/players/hls-types";
import type { Asker } from "../../src/runner";
import type { Session } from "../../src/session";
import { Throughput } from "../../src/throughput";

const URL = "https://cdn.example/media/seg7.ts";
const KEY: SegmentKey = { rendition: "x.m3u8", sequence: 7 };
const CONTEXT = { url: URL, responseType: "arraybuffer", frag: { start: 8 } } as LoaderContext;
const CONFIG = {} as LoaderConfiguration;

/** The player's own loader: answers when the test says so. */
class Inner implements Loader {
  context: LoaderContext | null = null;
  stats: LoadStats = {
    aborted: false,
    loaded: 0,
    total: 0,
    bwEstimate: 0,
    loading: { start: 0, first: 0, end: 0 },
  };
  callbacks: LoaderCallbacks | undefined;
  destroyed = false;

  load(context: LoaderContext, _: LoaderConfiguration, callbacks: LoaderCallbacks): void {
    if (this.stats.loading.start) throw new Error("Loader can only be used once.");
    this.stats.loading.start = performance.now();
    this.context = context;
    this.callbacks = callbacks;
  }

  abort(): void {
    this.callbacks?.onAbort?.(this.stats, CONTEXT, null);
  }

  destroy(): void {
    this.destroyed = true;
    this.stats = null as unknown as LoadStats; // as hls.js 1.7 does
  }

  succeed(bytes: number): void {
    const { loading } = this.stats;
    loading.first = performance.now();
    loading.end = performance.now();
    this.stats.loaded = this.stats.total = bytes;
    const response = { url: URL, data: new ArrayBuffer(bytes), code: 200 };
    this.callbacks?.onSuccess(response, this.stats, CONTEXT, null);
  }
}

/** A session that is ready, or not, and notes what it is told. */
class FakeSession {
  takes = vi.fn(() => true);
  busy = false;
  shares = true;
  throughput = new Throughput();
  asker: Asker | undefined;
  within: number | undefined;
  readonly released: SegmentKey[] = [];
  readonly offered: { key: SegmentKey; bytes: number; cached: boolean }[] = [];
  readonly fallbacks: SegmentKey[] = [];
  counted = vi.fn<(bytes: number, cached: boolean) => void>();
  httpBytes = 0;
  broken = 0;

  fetching = (): boolean => this.busy;
  demand(_: SegmentKey, within: number, asker: Asker): void {
    this.within = within;
    this.asker = asker;
  }
  release(key: SegmentKey): void {
    this.released.push(key);
    this.asker = undefined;
  }
  fellBack(key: SegmentKey): void {
    this.fallbacks.push(key);
  }
  loaded(key: SegmentKey, data: Uint8Array, { cached }: Outcome): void {
    this.offered.push({ key, bytes: data.length, cached });
  }
  request(): unknown {
    return {
      arrived: (bytes: number) => (this.httpBytes += bytes),
      done: () => Promise.resolve({ cached: false, ttfb: 0, took: 1 }),
      broken: () => this.broken++,
    };
  }
}

let session: FakeSession;
let inner: Inner;
let player: { wanted: () => SegmentKey | undefined };
let serves: boolean;
let loader: Loader;
const heard = {
  onSuccess: vi.fn<LoaderCallbacks["onSuccess"]>(),
  onError: vi.fn<LoaderCallbacks["onError"]>(),
  onTimeout: vi.fn<LoaderCallbacks["onTimeout"]>(),
  onAbort: vi.fn<NonNullable<LoaderCallbacks["onAbort"]>>(),
  onProgress: vi.fn<NonNullable<LoaderCallbacks["onProgress"]>>(),
};

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.advanceTimersByTime(1_000);
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("XMLHttpRequest", Map); // any class will do
  vi.clearAllMocks();
  session = new FakeSession();
  inner = new Inner();
  player = { wanted: () => KEY };
  serves = true;
  const made = inner;
  const Class = loaderFor(
    {
      wanted: () => player.wanted(),
      serves: () => serves,
      own: () => undefined,
      within: ({ start }: { start: number }) => start,
      assumedRate: () => 62_500,
    } as unknown as HlsPlayer,
    session as unknown as Session,
    function () {
      return made;
    } as unknown as typeof Inner,
  );
  loader = new Class({} as never);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Lets what was put off for a moment happen. */
async function settle(): Promise<void> {
  for (let at = 0; at < 5; at++) await Promise.resolve();
}

describe("a segment of a session that is ready", () => {
  beforeEach(() => {
    loader.load(CONTEXT, CONFIG, heard);
  });

  it("is asked for with the time that is left, and not of the origin", () => {
    expect(session.within).toBe(8);
    expect(inner.context).toBeNull();
  });

  it("is delivered later, in a buffer of its own", async () => {
    const store = new Uint8Array(300);
    session.asker?.ready(store.subarray(100, 200));
    expect(heard.onSuccess).not.toHaveBeenCalled();
    await settle();
    const [response, stats, context, details] = heard.onSuccess.mock.lastCall ?? [];
    expect(response).toMatchObject({ url: URL, code: 200 });
    expect((response?.data as ArrayBuffer).byteLength).toBe(100);
    expect(response?.data).not.toBe(store.buffer);
    expect(stats).toBe(loader.stats);
    expect(stats).toMatchObject({ loaded: 100, total: 100 });
    expect(context).toBe(CONTEXT);
    expect(details).toBeInstanceOf(Map);
    expect(heard.onProgress).toHaveBeenCalledOnce();
  });

  it("shows the throughput of HTTP, neither the wait nor a store's speed", async () => {
    session.throughput.measured(1_000_000, 0.1, 1.1);
    vi.advanceTimersByTime(1_900);
    session.asker?.ready(new Uint8Array(500_000));
    await settle();
    const { start, first, end } = loader.stats.loading;
    expect(end).toBe(performance.now());
    expect(end - first).toBeCloseTo(500);
    expect(first - start).toBeCloseTo(100);
  });

  it("shows what hls.js assumes, as long as nothing was measured", async () => {
    session.asker?.ready(new Uint8Array(62_500));
    await settle();
    const { first, end } = loader.stats.loading;
    expect(end - first).toBeCloseTo(1_000);
  });

  it("shows its own time if it came by HTTP, but never a cache's", async () => {
    session.throughput.measured(1_000_000, 0, 1);
    vi.advanceTimersByTime(500);
    session.asker?.progress(0);
    vi.advanceTimersByTime(100);
    session.asker?.progress(50_000);
    expect(loader.stats).toMatchObject({ loaded: 50_000 });
    vi.advanceTimersByTime(1_000);
    session.asker?.progress(50_000);
    session.asker?.ready(new Uint8Array(100_000));
    await settle();
    const { start, first, end } = loader.stats.loading;
    expect(end - first).toBeCloseTo(1_000);
    expect(first - start).toBeCloseTo(100);
  });

  it("shows nothing of parts that HTTP brought, at whatever time", async () => {
    session.throughput.measured(1_000_000, 0.1, 1.1);
    session.asker?.progress(0);
    session.asker?.progress(400_000);
    vi.advanceTimersByTime(1_900);
    session.asker?.ready(new Uint8Array(500_000));
    await settle();
    const { start, end } = loader.stats.loading;
    expect(end - start).toBeCloseTo(600);
  });

  it("that came faster than HTTP ever was is not taken for HTTP's speed", async () => {
    session.throughput.measured(1_000_000, 0, 1);
    session.asker?.progress(0);
    session.asker?.progress(1_000_000);
    vi.advanceTimersByTime(2);
    session.asker?.ready(new Uint8Array(1_000_000));
    await settle();
    const { first, end } = loader.stats.loading;
    expect(end - first).toBeCloseTo(1_000);
  });

  it("goes to plain HTTP when the session fails", () => {
    session.asker?.failed("unreachable");
    expect(inner.context).toBe(CONTEXT);
    expect(session.fallbacks).toStrictEqual([KEY]);
    inner.succeed(10);
    expect(heard.onSuccess).toHaveBeenCalledOnce();
  });

  it("that is not known yet goes to plain HTTP, which is no fallback", () => {
    session.asker?.failed("missing");
    expect(inner.context).toBe(CONTEXT);
    expect(session.fallbacks).toStrictEqual([]);
  });

  it("goes to plain HTTP when nothing happens until the last moment", () => {
    vi.advanceTimersByTime(7_499);
    expect(inner.context).toBeNull();
    vi.advanceTimersByTime(1);
    expect(inner.context).toBe(CONTEXT);
    expect(session.released).toStrictEqual([KEY]);
  });

  it("is waited for as long as the origin is being asked", () => {
    session.busy = true;
    vi.advanceTimersByTime(20_000);
    expect(inner.context).toBeNull();
    session.busy = false;
    vi.advanceTimersByTime(1_000);
    expect(inner.context).toBe(CONTEXT);
  });

  it("is not delivered after an abort", async () => {
    const { asker } = session;
    asker?.ready(new Uint8Array(10));
    loader.abort();
    await settle();
    asker?.failed("aborted");
    vi.advanceTimersByTime(60_000);
    expect(heard.onAbort).toHaveBeenCalledOnce();
    expect(heard.onSuccess).not.toHaveBeenCalled();
    expect(loader.stats.aborted).toBe(true);
    expect(session.released).toStrictEqual([KEY]);
    expect(inner.context).toBeNull();
  });

  it("is not delivered after the loader was destroyed", async () => {
    const { asker } = session;
    loader.destroy();
    asker?.ready(new Uint8Array(10));
    asker?.failed("aborted");
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(heard.onSuccess).not.toHaveBeenCalled();
    expect(heard.onAbort).not.toHaveBeenCalled();
    expect(inner.destroyed).toBe(true);
    expect(inner.context).toBeNull();
  });
});

describe("a byte range", () => {
  const context = { ...CONTEXT, rangeStart: 100, rangeEnd: 200 };

  it("that fits is delivered", async () => {
    loader.load(context, CONFIG, heard);
    session.asker?.ready(new Uint8Array(100));
    await settle();
    expect(heard.onSuccess).toHaveBeenCalledOnce();
  });

  it("of another length than the playlist's goes to plain HTTP", () => {
    loader.load(context, CONFIG, heard);
    session.asker?.ready(new Uint8Array(99));
    expect(inner.context).toBe(context);
  });
});

describe("whatever else", () => {
  it("loads at once by plain HTTP if the session is not ready yet, and is offered", async () => {
    session.takes.mockReturnValue(false);
    loader.load(CONTEXT, CONFIG, heard);
    expect(inner.context).toBe(CONTEXT);
    heard.onSuccess.mockImplementationOnce(({ data }) => {
      structuredClone(data, { transfer: [data as ArrayBuffer] }); // as to hls.js's worker
    });
    inner.succeed(5_000);
    await settle();
    expect(heard.onSuccess).toHaveBeenCalledOnce();
    expect(session.offered).toStrictEqual([{ key: KEY, bytes: 5_000, cached: false }]);
    expect(session.httpBytes).toBe(5_000);
  });

  it("is counted, not offered, if it is no segment", async () => {
    player.wanted = () => undefined;
    loader.load(CONTEXT, CONFIG, heard);
    inner.succeed(700);
    await settle();
    expect(session.offered).toStrictEqual([]);
    expect(session.counted).toHaveBeenCalledExactlyOnceWith(700, false);
  });

  it("is offered if what it is has become known on its way", async () => {
    serves = false;
    player.wanted = () => undefined;
    loader.load(CONTEXT, CONFIG, heard);
    serves = true;
    player.wanted = () => KEY;
    inner.succeed(500);
    await settle();
    expect(session.offered).toStrictEqual([{ key: KEY, bytes: 500, cached: false }]);
    expect(session.httpBytes).toBe(500);
    expect(heard.onSuccess).toHaveBeenCalledOnce();
  });

  it("is of no concern to us if it never is", async () => {
    serves = false;
    player.wanted = () => undefined;
    loader.load(CONTEXT, CONFIG, heard);
    inner.succeed(500);
    await settle();
    expect(session.offered).toStrictEqual([]);
    expect(session.httpBytes).toBe(0);
    expect(heard.onSuccess).toHaveBeenCalledOnce();
  });

  it("loads by plain HTTP if anything of ours throws", () => {
    player.wanted = () => {
      throw new Error("ours");
    };
    loader.load(CONTEXT, CONFIG, heard);
    expect(inner.context).toBe(CONTEXT);
  });

  it("loads by plain HTTP if asking throws", () => {
    session.demand = () => {
      throw new Error("ours");
    };
    loader.load(CONTEXT, CONFIG, heard);
    expect(inner.context).toBe(CONTEXT);
    vi.advanceTimersByTime(60_000);
    expect(session.fallbacks).toStrictEqual([]);
  });

  it("passes errors and time-outs on, and counts what they have cost", () => {
    session.takes.mockReturnValue(false);
    loader.load(CONTEXT, CONFIG, heard);
    inner.stats.loaded = 300;
    inner.callbacks?.onError({ code: 500, text: "" }, CONTEXT, null, inner.stats);
    inner.callbacks?.onTimeout(inner.stats, CONTEXT, null);
    expect(heard.onError).toHaveBeenCalledOnce();
    expect(heard.onTimeout).toHaveBeenCalledOnce();
    expect(session.httpBytes).toBe(300);
    expect(session.broken).toBe(1);
  });

  it("counts what an aborted request has cost", () => {
    session.takes.mockReturnValue(false);
    loader.load(CONTEXT, CONFIG, heard);
    inner.stats.loaded = 400;
    loader.abort();
    loader.destroy();
    expect(heard.onAbort).toHaveBeenCalledOnce();
    expect(session.httpBytes).toBe(400);
  });

  it("says the age of an answer as the player's loader knows it", () => {
    expect(loader.getCacheAge?.()).toBeNull();
    Object.assign(inner, { getCacheAge: () => 3, getResponseHeader: (name: string) => name });
    expect(loader.getCacheAge?.()).toBe(3);
    expect(loader.getResponseHeader?.("age")).toBe("age");
  });
});
