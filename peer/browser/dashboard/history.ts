/**
 * The figures of a range: what the ledger has written, and the seconds since then.
 *
 * Peers report every few seconds, so their bytes come in steps, and a viewer who claimed too much
 * is corrected later. Where points are as close as that, each is the mean of two, and the offload
 * is that of the last minute.
 */

import { add, bestPossible, byHttp, noFigures, offload, ofSample } from "./figures";
import type { Figures, Sample, Series } from "./figures";

/** Seconds of a point that are too few to say how much comes in a second. */
const FEW = 10;

/** Seconds of which there has to be something to say what came from where. */
const STEADY = 60;

/** Seconds of the stream that are kept: those of a quarter of an hour. */
const KEPT = 900;

/** What the chart shows of a time: bytes a second, and shares; null where there is nothing. */
export interface Shown {
  readonly at: number;
  readonly origin: number | null;
  readonly peers: number | null;
  readonly offload: number | null;
  readonly best: number | null;
}

export class History {
  private step = 10;
  private buckets = new Map<number, Figures>();
  private recent: Sample[] = [];
  private asOf = Infinity;

  /** Nothing is known until what was written has come. */
  clear(): void {
    this.buckets = new Map();
    this.asOf = Infinity;
  }

  /** The stream begins anew, and tells again what it knows. */
  restart(): void {
    this.recent = [];
  }

  /** What was written has come. */
  load({ step, as_of, points }: Omit<Series, "total">): void {
    this.step = step;
    this.asOf = as_of;
    this.buckets = new Map(points.map((point) => [point.at, { ...point }]));
    for (const sample of this.recent) this.count(sample);
  }

  /** What was written cannot be had: what the stream tells is better than nothing. */
  doWithout(): void {
    if (this.asOf === Infinity) this.load({ step: 10, as_of: 0, points: [] });
  }

  /** Newer seconds have come. */
  add(samples: readonly Sample[]): void {
    this.recent = [...this.recent, ...samples].slice(-KEPT);
    for (const sample of samples) this.count(sample);
  }

  /** The latest time of which anything is known, in seconds since 1970. */
  get now(): number {
    const newest = this.recent.at(-1)?.at ?? 0;
    return Math.max(newest, this.asOf === Infinity ? 0 : this.asOf);
  }

  /** Everything in the last `span` seconds. */
  total(span: number): Figures {
    const total = noFigures();
    for (const [, figures] of this.within(span)) add(total, figures);
    return total;
  }

  /** What the last `span` seconds look like, from the oldest point to the newest. */
  points(span: number): Shown[] {
    const buckets = this.within(span);
    const points: Shown[] = [];
    for (const [index, [at, figures]] of buckets.entries()) {
      const [beforeAt, before] = buckets[index - 1] ?? [-Infinity, figures];
      const adjacent = at - beforeAt <= this.step;
      const mean = noFigures();
      add(mean, figures);
      if (adjacent && this.step <= FEW) add(mean, before);
      if (mean.seconds < Math.min(FEW, this.step) && points.length > 0) continue;
      if (index > 0 && !adjacent) points.push(nothing(beforeAt + this.step));
      const seconds = Math.max(1, mean.seconds);
      const lately = this.lately(buckets, index);
      points.push({
        at: at + this.step / 2,
        origin: Math.max(0, byHttp(mean) / seconds),
        peers: Math.max(0, mean.peer_bytes_confirmed / seconds),
        offload: offload(lately),
        best: bestPossible(lately),
      });
    }
    return points;
  }

  /** What there was from a minute before the end of a bucket until then. */
  private lately(buckets: readonly [number, Figures][], index: number): Figures {
    const sum = noFigures();
    const end = buckets[index]?.[0] ?? 0;
    for (let earlier = index; earlier >= 0; earlier -= 1) {
      const [at, figures] = buckets[earlier] ?? [0, noFigures()];
      if (earlier < index && end + this.step - at > STEADY) break;
      add(sum, figures);
    }
    return sum;
  }

  private count(sample: Sample): void {
    if (sample.at <= this.asOf) return;
    const at = Math.floor(sample.at / this.step) * this.step;
    const bucket = this.buckets.get(at) ?? noFigures();
    this.buckets.set(at, bucket);
    add(bucket, ofSample(sample));
  }

  private within(span: number): [number, Figures][] {
    const start = this.now - span;
    return [...this.buckets]
      .filter(([at]) => at + this.step > start)
      .sort(([one], [other]) => one - other);
  }
}

/** The same of an origin that is elsewhere: what it has sent is not known. */
export function withoutShares(points: readonly Shown[]): Shown[] {
  return points.map((point) => ({ ...point, offload: null, best: null }));
}

function nothing(at: number): Shown {
  return { at, origin: null, peers: null, offload: null, best: null };
}
