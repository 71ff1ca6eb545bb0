/**
 * Who holds what: the neighbours' announcements, as far as they can be of use.
 *
 * Chunks are kept as bit masks, a whole number a segment. An announcement costs its sender little,
 * so what a link can make us remember is bounded; what lies beyond is not believed to be held.
 */

import { segmentId, spansOf, type SegmentKey, type Span } from "../model";
import type { Holding } from "../wire/link";
import { maskOfSpans, type Mask } from "./bits";

/** Segments remembered a link: four hours of 2 s segments. */
const MOST_SEGMENTS = 8_192;

/** Chunks remembered a segment: 256 MiB. */
const MOST_CHUNKS = 4_096;

/** Runs of chunks a holding (the wire's own bound); what is more ragged is not told. */
const MOST_SPANS = 128;

/** How long somebody's `loading` is believed after it, or after the last chunk that came of it. */
export const LOADING_LASTS = 2;

/** Masks of chunks by segment. */
export type Held = ReadonlyMap<string, Mask>;

/** Nothing is held. */
export const NOTHING: Held = new Map();

/** The bit mask of these chunk numbers. */
export function maskOf(spans: Iterable<Span>): Mask {
  return maskOfSpans(spans, MOST_CHUNKS);
}

/** The announcement of these chunks. */
export function holdingOf({ rendition, sequence }: SegmentKey, chunks: Iterable<number>): Holding {
  return { rendition, sequence, chunks: spansOf(chunks).slice(0, MOST_SPANS) };
}

/** What is being loaded, and until when that is to be believed. */
export interface Load {
  readonly mask: Mask;
  readonly until: number;
}

/** What each link has announced. */
export class Availability {
  private readonly _held = new Map<number, Map<string, Mask>>();
  private readonly _loading = new Map<number, Map<string, Load>>();

  have(link: number, holdings: readonly Holding[], now: number): void {
    const held = this.held(link);
    for (const holding of holdings) {
      const id = segmentId(holding);
      if (held.has(id) || held.size < MOST_SEGMENTS) {
        held.set(id, (held.get(id) ?? 0n) | maskOf(holding.chunks));
      }
    }
    this._loaded(link, holdings, now);
  }

  gone(link: number, holdings: readonly Holding[]): void {
    const held = this._held.get(link);
    for (const holding of holdings) {
      const id = segmentId(holding);
      const left = (held?.get(id) ?? 0n) & ~maskOf(holding.chunks);
      if (left) held?.set(id, left);
      else held?.delete(id);
    }
    this._loaded(link, holdings);
  }

  /** The link says that it fetches these from the origin. */
  loads(link: number, holdings: readonly Holding[], now: number): void {
    const loading = this._loading.get(link) ?? new Map<string, Load>();
    this._loading.set(link, loading);
    for (const [id, { until }] of loading) if (until <= now) loading.delete(id);
    for (const holding of holdings) {
      const id = segmentId(holding);
      if (loading.has(id) || loading.size < MOST_SEGMENTS) {
        const mask = (loading.get(id)?.mask ?? 0n) | maskOf(holding.chunks);
        loading.set(id, { mask, until: now + LOADING_LASTS });
      }
    }
  }

  /** The link turned out not to hold this chunk. */
  lacks(link: number, segment: SegmentKey, chunk: number): void {
    this.gone(link, [holdingOf(segment, [chunk])]);
  }

  /** The link is over. */
  forget(link: number): void {
    this._held.delete(link);
    this._loading.delete(link);
  }

  /** What a link holds; it goes on to tell the truth as announcements come. */
  held(link: number): Map<string, Mask> {
    const held = this._held.get(link) ?? new Map<string, Mask>();
    this._held.set(link, held);
    return held;
  }

  /** Whether any link holds any chunk of a segment. */
  offers(segment: SegmentKey): boolean {
    const id = segmentId(segment);
    return [...this._held.values()].some((held) => held.has(id));
  }

  /** Which chunks of a segment somebody is loading, and until when that is to be believed. */
  loading(segment: SegmentKey, now: number): Load {
    const id = segmentId(segment);
    let mask = 0n;
    let until = 0;
    for (const loading of this._loading.values()) {
      const theirs = loading.get(id);
      if (!theirs || theirs.until <= now) continue;
      mask |= theirs.mask;
      until = Math.max(until, theirs.until);
    }
    return { mask, until };
  }

  /** What the link has, or has given up, it is no longer loading. */
  private _loaded(link: number, holdings: readonly Holding[], now = -Infinity): void {
    const loading = this._loading.get(link);
    for (const holding of holdings) {
      const id = segmentId(holding);
      const load = loading?.get(id);
      if (!load) continue;
      const mask = load.mask & ~maskOf(holding.chunks);
      if (mask) loading?.set(id, { mask, until: Math.max(load.until, now + LOADING_LASTS) });
      else loading?.delete(id);
    }
  }
}
