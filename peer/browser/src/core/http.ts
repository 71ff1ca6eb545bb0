/**
 * What the origin has shown so far: how long it takes to begin, and how fast it goes on.
 *
 * Decisions rest on its bad moments rather than on its average: on the slow end of the last
 * `SAMPLES` answers. What comes at the same time, answers and chunks of peers, shares the line: how
 * fast it is shows in all of that together.
 */

const SAMPLES = 20;
/** Bytes below which an answer says nothing about throughput. */
const LEAST_MEASURED = 32_768;
/**
 * Nor does one that is smaller than so much of the largest: it was over before it was up to speed
 * (TCP's slow start, RFC 5681).
 */
const COMPARABLE = 0.5;
const FIRST_TTFB = 0.2;
/** Bytes a second, before there was any answer. */
const FIRST_RATE = 250_000;
/** Seconds in which what the origin once showed by itself comes to count half. */
const HALF_LIFE = 60;
/** Answers that it takes to call the origin shaky. */
const ENOUGH = 6;
/** Seconds kept in hand, whatever the figures say. */
const GUARD = 0.8;
/** The part of the slow answers' throughput that is counted on. */
const RATE_SHARE = 0.8;

/** Bytes, when the first and the last of them came, and what links brought in between. */
type Answer = readonly [size: number, begun: number, ended: number, beside: number];

/** The record of one origin. */
export class Http {
  /** Seconds to the first byte: 19 of 20 answers begin sooner. */
  ttfb = FIRST_TTFB;
  /** Bytes a second: four of five answers are faster. */
  rate = FIRST_RATE;
  /** Bytes a second that nine of ten answers exceed; infinity before there were `ENOUGH`. */
  private _slow = Infinity;
  private readonly _ttfbs: number[] = [];
  private readonly _answers: Answer[] = [];

  /**
   * An answer of `received` bytes is complete, `took` seconds after it was asked for, in which links
   * have brought `beside` bytes over the same line.
   */
  answered(received: number, ttfb: number, took: number, now: number, beside = 0): void {
    note(this._ttfbs, ttfb);
    this.ttfb = percentile(this._ttfbs, 0.95);
    if (received < LEAST_MEASURED) return;
    const comes = Math.max(took - ttfb, 0.001);
    const share = took ? Math.min(comes / took, 1) : 0;
    note(this._answers, [received, now - comes, now, beside * share]);
    const rates = this._rates();
    this.rate = percentile(rates, 0.2);
    this._slow = rates.length >= ENOUGH ? percentile(rates, 0.1) : Infinity;
  }

  /** Seconds in which `size` bytes are there for certain, as far as one can tell. */
  takes(size: number): number {
    return this.ttfb + size / (RATE_SHARE * this.rate) + GUARD;
  }

  /** Whether it may soon be too slow for media of `bitrate` bytes a second. */
  isShaky(bitrate: number): boolean {
    return this._slow < 1.5 * bitrate;
  }

  /**
   * Bytes a second that came in all, while an answer came that is large enough to tell. What links
   * brought counts for no more than the origin has lately shown without them: of a line that peers
   * fill it is not known how much of it the origin could.
   */
  private _rates(): number[] {
    const least = COMPARABLE * Math.max(...this._answers.map(([size]) => size));
    const large = this._answers.filter(([size]) => size >= least);
    const now = Math.max(...large.map(([, , ended]) => ended));
    const alone = large.map(([, begun, ended]) => this._between(begun, ended) / (ended - begun));
    const lately = large.map(([, , ended], at) => (alone[at] ?? 0) * 0.5 ** ((now - ended) / HALF_LIFE));
    const shown = Math.max(...lately);
    return large.map(
      ([, begun, ended, beside], at) => (alone[at] ?? 0) + Math.min(beside / (ended - begun), shown),
    );
  }

  /** Bytes that came, if each answer came evenly. */
  private _between(since: number, until: number): number {
    return this._answers.reduce((sum, [size, begun, ended]) => {
      const common = Math.max(Math.min(until, ended) - Math.max(since, begun), 0);
      return sum + (size * common) / (ended - begun);
    }, 0);
  }
}

/** The value that `share` of them do not exceed (nearest rank, rounded). */
export function percentile(values: readonly number[], share: number): number {
  const ranked = [...values].sort((a, b) => a - b);
  return ranked[Math.floor(share * (ranked.length - 1) + 0.5)] ?? NaN;
}

/** Remembers the newest of them. */
function note<T>(values: T[], value: T): void {
  if (values.push(value) > SAMPLES) values.shift();
}
