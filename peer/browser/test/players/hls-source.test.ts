/** Requests by the player's own loader, as a page has set it up. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { RangeSink } from "../../src/http-source";
import { loaderSource } from "../../src/players/hls-source";
import type {
  Fragment,
  HlsConfig,
  LoaderCallbacks,
  LoaderClass,
  LoaderConfiguration,
  LoaderContext,
} from "../../src/players/hls-types";

const URL = "https://cdn.example/media/seg7.ts";
const FRAGMENT = { sn: 7 } as Fragment;
const CONFIG = { fragLoadPolicy: { default: { maxLoadTimeMs: 5_000, errorRetry: {} } } };

class PageLoader {
  static last: PageLoader;
  readonly stats = { loaded: 0, loading: { start: 0, first: 0, end: 0 } };
  context!: LoaderContext;
  settings!: LoaderConfiguration;
  callbacks!: LoaderCallbacks;
  destroy = vi.fn();

  constructor(readonly config: HlsConfig) {
    PageLoader.last = this;
  }

  load(context: LoaderContext, settings: LoaderConfiguration, callbacks: LoaderCallbacks): void {
    Object.assign(this, { context, settings, callbacks });
  }
}

const sink = {
  data: vi.fn<RangeSink["data"]>(),
  lost: vi.fn<RangeSink["lost"]>(),
  done: vi.fn<RangeSink["done"]>(),
  failed: vi.fn<RangeSink["failed"]>(),
};
const fetched = vi.fn(() => new Promise(() => undefined));
const base = PageLoader as unknown as LoaderClass;
const config = CONFIG as unknown as HlsConfig;
let abort: () => void;

function ask(range?: [number, number], fresh = false): void {
  abort = loaderSource(base, config, FRAGMENT)({ url: URL, range, fresh }, sink);
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["performance", "setInterval", "clearInterval"] });
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("fetch", fetched);
  vi.clearAllMocks();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a request", () => {
  it("is what the player itself would ask for, once", () => {
    ask();
    const { context, settings } = PageLoader.last;
    expect(PageLoader.last.config).toBe(config);
    expect(context).toMatchObject({ url: URL, frag: FRAGMENT, responseType: "arraybuffer" });
    expect(context).toMatchObject({ rangeStart: 0, rangeEnd: 0 });
    const loadPolicy = { maxLoadTimeMs: 5_000, errorRetry: null, timeoutRetry: null };
    expect(settings).toMatchObject({ loadPolicy, timeout: 5_000, maxRetry: 0 });
  });

  it("of a range ends where hls.js's ranges end: one byte later", () => {
    ask([65_536, 131_071]);
    expect(PageLoader.last.context).toMatchObject({ rangeStart: 65_536, rangeEnd: 131_072 });
  });

  it("past the caches is made by fetch: no loader can do it", () => {
    const before = PageLoader.last;
    ask(undefined, true);
    expect(PageLoader.last).toBe(before);
    expect(fetched).toHaveBeenCalledOnce();
    abort();
  });
});

describe("an answer", () => {
  it("comes at the end, with its times", () => {
    ask();
    const { callbacks, context, stats } = PageLoader.last;
    vi.advanceTimersByTime(200);
    stats.loading.first = performance.now();
    vi.advanceTimersByTime(300);
    const data = new Uint8Array([1, 2, 3]).buffer;
    callbacks.onSuccess({ url: URL, data, code: 200 }, stats as never, context, null);
    expect(sink.data.mock.calls).toStrictEqual([[new Uint8Array()], [new Uint8Array([1, 2, 3])]]);
    expect(sink.done).toHaveBeenCalledExactlyOnceWith(0.2, 0.5);
    expect(sink.lost).not.toHaveBeenCalled();
    expect(PageLoader.last.destroy).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(["onError", "onTimeout"] as const)("that is none (%s) tells what it cost", (name) => {
    ask();
    const { callbacks, stats } = PageLoader.last;
    stats.loaded = 40;
    (callbacks[name] as () => void)();
    expect(sink.lost).toHaveBeenCalledExactlyOnceWith(40);
    expect(sink.failed).toHaveBeenCalledExactlyOnceWith(name === "onError" ? "status" : "timeout");
    expect(PageLoader.last.destroy).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is seen to come, though it is handed on at the end", () => {
    ask();
    const { stats } = PageLoader.last;
    vi.advanceTimersByTime(900);
    expect(sink.data).not.toHaveBeenCalled(); // silence
    stats.loaded = 40;
    vi.advanceTimersByTime(900);
    expect(sink.data).toHaveBeenCalledExactlyOnceWith(new Uint8Array());
    stats.loaded = 50;
    vi.advanceTimersByTime(400);
    expect(sink.data).toHaveBeenCalledTimes(2);
    abort();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is taken to come where a loader has its first byte, and does not count as it goes", () => {
    ask();
    const { stats } = PageLoader.last;
    vi.advanceTimersByTime(300);
    stats.loading.first = performance.now();
    vi.advanceTimersByTime(900);
    expect(sink.data).toHaveBeenCalledTimes(3);
    expect(sink.data).toHaveBeenLastCalledWith(new Uint8Array());
    abort();
    vi.advanceTimersByTime(900);
    expect(sink.data).toHaveBeenCalledTimes(3);
  });

  it.each(["throws", "has it at once"])("is not looked for any more if the loader %s", (how) => {
    const load = vi.spyOn(PageLoader.prototype, "load");
    load.mockImplementation(function (this: PageLoader, context, _, callbacks) {
      if (how === "throws") throw new Error("no");
      const data = new ArrayBuffer(3);
      callbacks.onSuccess({ url: URL, data, code: 200 }, this.stats as never, context, null);
    });
    try {
      ask();
    } catch {
      // is for the caller to tell
    }
    expect(load).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
    load.mockRestore();
  });

  it("that is aborted tells what it cost, and nothing else", () => {
    ask();
    PageLoader.last.stats.loaded = 50;
    abort();
    expect(sink.lost).toHaveBeenCalledExactlyOnceWith(50);
    expect(sink.failed).not.toHaveBeenCalled();
    expect(PageLoader.last.destroy).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });
});
