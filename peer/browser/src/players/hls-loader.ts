/**
 * What hls.js loads a fragment by: through the session if it knows the segment, and else, or as soon
 * as anything is odd, by the loader that the player would have used without us.
 *
 *              segment known                        delivered
 *     IDLE -------------------> WAITING ---------------------------> OVER
 *       |                          | failed, or nothing happens       ^
 *       '------- otherwise ----> PLAIN -------------------------------'
 *
 * What hls.js is told of times decides on the quality it plays. So it is told how long HTTP would
 * have taken: never the wait for peers, never the speed of a store or a cache.
 */

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
  private state: "idle" | "waiting" | "plain" | "over" = "idle";
  private job: Job | undefined;
  private key: SegmentKey | undefined;
  private request: Request | undefined;
  private watchdog = 0;

  constructor(
    private readonly player: HlsPlayer,
    private readonly session: Session,
    private readonly inner: Loader,
  ) {
    this.stats = inner.stats;
  }

  // For hls.js

  load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks): void {
    this.context = context;
    this.job = { context, config, callbacks };
    try {
      this.key = this.player.wanted(context);
      if (this.key && this.session.knows(this.key)) {
        this.wait(this.key, context);
        return;
      }
    } catch {
      // Ours; the player must not notice.
    }
    this.plain();
  }

  abort(): void {
    const { job, stats, state } = this;
    this.leave();
    if (state === "plain") this.inner.abort();
    if (state !== "waiting" || !job) return;
    stats.aborted = true;
    job.callbacks.onAbort?.(stats, job.context, null);
  }

  destroy(): void {
    this.leave();
    this.job = undefined;
    this.context = null;
    this.inner.destroy();
  }

  getCacheAge(): number | null {
    return this.inner.getCacheAge?.() ?? null;
  }

  getResponseHeader(name: string): string | null {
    return this.inner.getResponseHeader?.(name) ?? null;
  }

  // For the runner

  ready(data: Bytes, fromHttp: boolean): void {
    const { rangeStart = 0, rangeEnd = 0 } = this.context ?? {};
    if (rangeEnd && data.length !== rangeEnd - rangeStart) {
      this.failed(); // the manifest speaks of something else than the playlist
      return;
    }
    // hls.js expects answers later, never from within its own call.
    queueMicrotask(() => {
      this.deliver(data, fromHttp);
    });
  }

  failed(): void {
    if (this.state !== "waiting") return;
    clearTimeout(this.watchdog);
    if (this.key) this.session.fellBack(this.key);
    this.plain();
  }

  progress(bytes: number): void {
    if (this.state !== "waiting") return;
    const { loading } = this.stats;
    const now = performance.now();
    // From here on HTTP takes its time, which hls.js may judge.
    if (this.stats.loaded === 0 && bytes === 0) loading.start = now;
    if (bytes > 0 && !loading.first) loading.first = now;
    this.stats.loaded += bytes;
  }

  // Waiting

  private wait(key: SegmentKey, { frag }: LoaderContext): void {
    const within = frag ? this.player.within(frag) : 0;
    this.state = "waiting";
    this.stats.loading.start = performance.now();
    this.watch(key, Math.max(within * 1_000, LEAST_PATIENCE));
    this.session.demand(key, within, this);
  }

  /** Nobody is trusted to come back, our own code included. */
  private watch(key: SegmentKey, milliseconds: number): void {
    this.watchdog = self.setTimeout(() => {
      if (this.session.fetching(key)) {
        this.watch(key, LOOK_AGAIN);
      } else {
        this.session.release(key, this);
        this.failed();
      }
    }, milliseconds);
  }

  private deliver(data: Bytes, fromHttp: boolean): void {
    if (this.state !== "waiting" || !this.job) return;
    clearTimeout(this.watchdog);
    this.state = "over";
    const { stats } = this;
    const { context, callbacks } = this.job;
    this.tellTimes(data.length, fromHttp);
    // hls.js may hand the buffer over to a worker: it must be nobody else's.
    const { buffer } = data.length === data.buffer.byteLength ? data : data.slice();
    const details = new XMLHttpRequest(); // what pages expect to find, with nothing in it
    callbacks.onProgress?.(stats, context, buffer, details);
    callbacks.onSuccess({ url: context.url, data: buffer, code: 200 }, stats, context, details);
  }

  private tellTimes(bytes: number, fromHttp: boolean): void {
    const { stats } = this;
    const { loading } = stats;
    const { throughput } = this.session;
    const end = performance.now();
    let { rate, ttfb } = throughput;
    if (fromHttp && loading.first) {
      const seconds = Math.max(end - loading.first, 1) / 1_000;
      rate = Math.min(bytes / seconds, rate ?? Infinity);
      ttfb = (loading.first - loading.start) / 1_000;
    }
    rate ??= this.player.assumedRate();
    loading.end = end;
    loading.first = end - (bytes / rate) * 1_000;
    loading.start = loading.first - ttfb * 1_000;
    stats.loaded = stats.total = bytes;
    stats.bwEstimate = rate * 8;
  }

  // Plain HTTP

  private plain(): void {
    const { job, stats } = this;
    if (!job) return;
    const { context, config, callbacks } = job;
    this.state = "plain";
    // hls.js's loaders refuse to be used a second time, and tell it by the time of their start.
    stats.loading.start = stats.loading.first = stats.loading.end = 0;
    stats.loaded = stats.total = 0;
    if (this.player.serves(context)) this.request = this.session.request(context.url);
    this.inner.load(context, config, {
      ...callbacks,
      onSuccess: (response, ...rest) => {
        this.keep(response.data);
        callbacks.onSuccess(response, ...rest);
      },
      onError: (...all) => {
        this.lose();
        callbacks.onError(...all);
      },
      onTimeout: (...all) => {
        this.lose();
        callbacks.onTimeout(...all);
      },
    });
  }

  /** What plain HTTP has brought: it counts, and may be worth sharing. */
  private keep(data: unknown): void {
    const { key, request, session, stats } = this;
    this.request = undefined;
    if (!request) return;
    const { start, first, end } = stats.loading;
    const bytes = stats.loaded;
    const whole = key && data instanceof ArrayBuffer && data.byteLength > 0 && session.shares;
    // A copy: hls.js may hand the buffer over to a worker.
    const copy = whole ? new Uint8Array(data.slice(0)) : undefined;
    request.arrived(bytes);
    void request.done((first - start) / 1_000, (end - start) / 1_000).then((cached) => {
      if (copy && key) session.loaded(key, copy, cached);
      else session.counted(bytes, cached);
    });
  }

  /** What plain HTTP has brought of something that nobody will have. */
  private lose(): void {
    this.request?.arrived(this.stats.loaded);
    this.request?.broken();
    this.request = undefined;
  }

  private leave(): void {
    clearTimeout(this.watchdog);
    if (this.state === "waiting" && this.key) this.session.release(this.key, this);
    if (this.state === "plain") this.lose();
    this.state = "over";
  }
}
