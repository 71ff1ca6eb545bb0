/**
 * What hls.js loads a fragment by: the session, if it is ready for segments, and else, or as soon
 * as anything is odd, the loader that the player would have used without us.
 *
 *              session ready                        delivered
 *     IDLE -------------------> WAITING ---------------------------> OVER
 *       |                          | failed, or nothing happens       ^
 *       '------- otherwise ----> PLAIN -------------------------------'
 *
 * What hls.js is told of times decides on the quality it plays. So it is told how long HTTP would
 * have taken: never the wait for peers, never the speed of a store or a cache. Nor is it told while
 * it waits how much has come: it would take peers for a slow origin, and play something worse.
 */

import type { SourceReason } from "../errors";
import type { Request } from "../meters";
import type { Bytes, SegmentKey } from "../model";
import type { Asker } from "../runner";
import type { Session } from "../session";
import type { HlsPlayer } from "./hls";
import type {
  Loader,
  LoaderCallbacks,
  LoaderClass,
  LoaderConfiguration,
  LoaderContext,
  LoadStats,
} from "./hls-types";

/** Milliseconds that a segment may take without any request to the origin, however late it is. */
const LEAST_PATIENCE = 2_000;

/** Milliseconds before its play time, when the core has asked the origin whatever it hoped for. */
const LAST_MOMENT = 500;

/** Milliseconds between two looks at a request that is slow. */
const LOOK_AGAIN = 1_000;

export function loaderFor(player: HlsPlayer, session: Session, base: LoaderClass): LoaderClass {
  return class extends SegmentLoader {
    constructor(config: ConstructorParameters<LoaderClass>[0]) {
      super(player, session, new base(config));
    }
  };
}

interface Job {
  readonly context: LoaderContext;
  readonly config: LoaderConfiguration;
  readonly callbacks: LoaderCallbacks;
}

class SegmentLoader implements Loader, Asker {
  context: LoaderContext | null = null;
  /** The inner loader's own: hls.js holds on to it before anybody knows who will deliver. */
  readonly stats: LoadStats;
  private _state: "idle" | "waiting" | "plain" | "over" = "idle";
  private _job: Job | undefined;
  private _key: SegmentKey | undefined;
  private _request: Request | undefined;
  private _watchdog = 0;

  constructor(
    private readonly _player: HlsPlayer,
    private readonly _session: Session,
    private readonly _inner: Loader,
  ) {
    this.stats = _inner.stats;
    _player.own(this.stats);
  }

  // For hls.js

  load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks): void {
    this.context = context;
    this._job = { context, config, callbacks };
    try {
      this._key = this._player.wanted(context);
      const within = context.frag ? this._player.within(context.frag) : 0;
      if (this._key && this._session.takes(within)) {
        this._wait(this._key, within);
        return;
      }
    } catch {
      // Ours; the player must not notice.
    }
    this._plain();
  }

  abort(): void {
    const { _job: job, stats, _state: state } = this;
    this._leave();
    if (state === "plain") this._inner.abort();
    if (state !== "waiting" || !job) return;
    stats.aborted = true;
    job.callbacks.onAbort?.(stats, job.context, null);
  }

  destroy(): void {
    this._leave();
    this._job = undefined;
    this.context = null;
    this._inner.destroy();
  }

  getCacheAge(): number | null {
    return this._inner.getCacheAge?.() ?? null;
  }

  getResponseHeader(name: string): string | null {
    return this._inner.getResponseHeader?.(name) ?? null;
  }

  // For the runner

  ready(data: Bytes): void {
    const { rangeStart = 0, rangeEnd = 0 } = this.context ?? {};
    if (rangeEnd && data.length !== rangeEnd - rangeStart) {
      this.failed("length"); // the manifest speaks of something else than the playlist
      return;
    }
    // hls.js expects answers later, never from within its own call.
    queueMicrotask(() => {
      this._deliver(data);
    });
  }

  failed(reason: SourceReason): void {
    if (this._state !== "waiting") return;
    clearTimeout(this._watchdog);
    // What is not known yet was never to come by anything else.
    if (this._key && reason !== "missing") this._session.fellBack(this._key);
    this._plain();
  }

  progress(bytes: number): void {
    if (this._state !== "waiting") return;
    const { loading } = this.stats;
    const now = performance.now();
    // From here on HTTP takes its time, which hls.js may judge.
    if (this.stats.loaded === 0 && bytes === 0) loading.start = now;
    if (bytes > 0 && !loading.first) loading.first = now;
    this.stats.loaded += bytes;
  }

  // Waiting

  private _wait(key: SegmentKey, within: number): void {
    this._state = "waiting";
    this.stats.loading.start = performance.now();
    this._watch(key, Math.max(within * 1_000 - LAST_MOMENT, LEAST_PATIENCE));
    this._session.demand(key, within, this);
  }

  /** Nobody is trusted to come back, our own code included. */
  private _watch(key: SegmentKey, milliseconds: number): void {
    this._watchdog = self.setTimeout(() => {
      if (this._session.fetching(key)) {
        this._watch(key, LOOK_AGAIN);
      } else {
        this._session.release(key, this);
        this.failed("timeout");
      }
    }, milliseconds);
  }

  private _deliver(data: Bytes): void {
    if (this._state !== "waiting" || !this._job) return;
    clearTimeout(this._watchdog);
    this._state = "over";
    const { stats } = this;
    const { context, callbacks } = this._job;
    this._tellTimes(data.length);
    // hls.js may hand the buffer over to a worker: it must be nobody else's.
    const { buffer } = data.length === data.buffer.byteLength ? data : data.slice();
    const details = new XMLHttpRequest(); // what pages expect to find, with nothing in it
    callbacks.onProgress?.(stats, context, buffer, details);
    callbacks.onSuccess({ url: context.url, data: buffer, code: 200 }, stats, context, details);
  }

  private _tellTimes(bytes: number): void {
    const { stats } = this;
    const { loading } = stats;
    const { throughput } = this._session;
    const end = performance.now();
    let { rate, ttfb } = throughput;
    // Nor the time between several requests for parts: only one for all of it has a time of its own.
    if (stats.loaded === bytes) {
      const seconds = Math.max(end - loading.first, 1) / 1_000;
      rate = Math.min(bytes / seconds, rate ?? Infinity);
      ttfb = (loading.first - loading.start) / 1_000;
    }
    rate ??= this._player.assumedRate();
    loading.end = end;
    loading.first = end - (bytes / rate) * 1_000;
    loading.start = loading.first - ttfb * 1_000;
    stats.loaded = stats.total = bytes;
    stats.bwEstimate = rate * 8;
  }

  // Plain HTTP

  private _plain(): void {
    const { _job: job, stats } = this;
    if (!job) return;
    const { context, config, callbacks } = job;
    this._state = "plain";
    // hls.js's loaders refuse to be used a second time, and tell it by the time of their start.
    stats.loading.start = stats.loading.first = stats.loading.end = 0;
    stats.loaded = stats.total = 0;
    if (this._player.serves(context)) this._request = this._session.request(context.url);
    this._inner.load(context, config, {
      ...callbacks,
      onSuccess: (response, ...rest) => {
        this._keep(response.data);
        callbacks.onSuccess(response, ...rest);
      },
      onError: (...all) => {
        this._lose();
        callbacks.onError(...all);
      },
      onTimeout: (...all) => {
        this._lose();
        callbacks.onTimeout(...all);
      },
    });
  }

  /** What plain HTTP has brought: it counts, and may be worth sharing. */
  private _keep(data: unknown): void {
    const { context, _session: session, stats } = this;
    if (!this._request && context && this._player.serves(context)) {
      // What it is has become known while it was on its way.
      this._key = this._player.wanted(context);
      this._request = session.request(context.url);
    }
    const { _key: key, _request: request } = this;
    this._request = undefined;
    if (!request) return;
    const { start, first, end } = stats.loading;
    const bytes = stats.loaded;
    const whole = key && data instanceof ArrayBuffer && data.byteLength > 0 && session.shares;
    // A copy: hls.js may hand the buffer over to a worker.
    const copy = whole ? new Uint8Array(data.slice(0)) : undefined;
    request.arrived(bytes);
    void request.done((first - start) / 1_000, (end - start) / 1_000).then((outcome) => {
      if (copy && key) session.loaded(key, copy, outcome);
      else session.counted(bytes, outcome.cached);
    });
  }

  /** What plain HTTP has brought of something that nobody will have. */
  private _lose(): void {
    this._request?.arrived(this.stats.loaded);
    this._request?.broken();
    this._request = undefined;
  }

  private _leave(): void {
    clearTimeout(this._watchdog);
    if (this._state === "waiting" && this._key) this._session.release(this._key, this);
    if (this._state === "plain") this._lose();
    this._state = "over";
  }
}
