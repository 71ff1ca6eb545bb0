/**
 * Bytes of media from the origin, as they come, by `fetch`.
 *
 * They are handed on while the request still runs, so that a chunk is verified and passed on to
 * neighbours before its segment is complete. A player that has its own ways with requests (headers,
 * signatures, credentials) brings a source of its own instead, with the same shape.
 */

import type { SourceReason } from "./errors";
import type { Bytes, Span } from "./model";

export interface RangeRequest {
  readonly url: string;
  /** The bytes of what is at `url`; all of it without. */
  readonly range: Span | undefined;
  /** Past every cache, since what one gave failed its hash. */
  readonly fresh: boolean;
}

export interface RangeSink {
  /** None of them is a sign that some have come and will be handed on at the end. */
  data(bytes: Bytes): void;
  /** So many bytes came and can't be handed on. */
  lost(bytes: number): void;
  /** Everything is there. Both times are in seconds since the request was made. */
  done(ttfb: number, took: number): void;
  /** Nothing more will come. */
  failed(reason: SourceReason): void;
}

/** Makes a request; what it returns aborts it, after which the sink hears nothing more. */
export type Source = (request: RangeRequest, sink: RangeSink) => () => void;

/** What hls.js waits for, too: milliseconds to the first byte, and from then between two. */
const PATIENCE = 10_000;

const underWay = new Map<string, number>();

export const fetchSource: Source = (request, sink) => {
  const controller = new AbortController();
  const { signal } = controller;
  const { url } = request;
  const cache = cacheMode(request);
  underWay.set(url, (underWay.get(url) ?? 0) + 1);
  let watchdog = 0;
  const alive = (): void => {
    clearTimeout(watchdog);
    watchdog = self.setTimeout(() => {
      controller.abort("timeout");
    }, PATIENCE);
  };
  read(request, { cache, signal }, alive, sink)
    .catch(() => {
      if (!signal.aborted) sink.failed("unreachable");
      else if (signal.reason === "timeout") sink.failed("timeout");
    })
    .finally(() => {
      clearTimeout(watchdog);
      controller.abort(); // for a body that nobody wants to read
      const others = (underWay.get(url) ?? 1) - 1;
      if (others > 0) underWay.set(url, others);
      else underWay.delete(url);
    });
  return () => {
    controller.abort("aborted");
  };
};

/**
 * Chromium queues requests for one cacheable URL, those of a profile's other tabs too, unless they
 * pass the cache by; and ranges, which several tabs may want of one segment, queue the longest.
 */
function cacheMode({ url, range, fresh }: RangeRequest): RequestCache {
  if (fresh) return "reload";
  return range || underWay.has(url) ? "no-store" : "default";
}

async function read(
  { url, range }: RangeRequest,
  init: RequestInit,
  alive: () => void,
  sink: RangeSink,
): Promise<void> {
  const since = performance.now();
  const seconds = (): number => (performance.now() - since) / 1000;
  alive();
  const headers = range ? { Range: `bytes=${range[0]}-${range[1]}` } : {};
  const response = await fetch(url, { ...init, headers });
  if (response.status !== (range ? 206 : 200)) {
    sink.failed("status");
    return;
  }
  const ttfb = seconds();
  const reader = response.body?.getReader();
  for (;;) {
    alive();
    const part = await reader?.read();
    if (!part || part.done) break;
    sink.data(part.value);
  }
  sink.done(ttfb, seconds());
}
