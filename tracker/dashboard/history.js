// @ts-check
/**
 * The figures of a range: what the ledger has written, and the seconds since then.
 *
 * Peers report every few seconds, so their bytes come in steps, and a viewer who claimed too much
 * is corrected later. Where points are as close as that, each is the mean of two.
 */

/** Seconds of a point that are too few to say how much comes in a second. */
const FEW = 10;

/** Seconds of the stream that are kept: those of a quarter of an hour. */
const KEPT = 900;

/**
 * @typedef {{
 *   origin_bytes: number, peer_bytes_confirmed: number, peer_bytes_claimed: number,
 *   waste_bytes: number, overhead_bytes: number, links_attempted: number, links_failed: number,
 *   seconds: number, viewers_max: number,
 * }} Figures what a stretch of time had
 * @typedef {Figures & { at: number }} Written of `step` seconds, as `/api/v1/series` has it
 * @typedef {{ step: number, as_of: number, points: Written[] }} Series
 * @typedef {{
 *   at: number, origin_bytes: number, peer_bytes: number, claimed_bytes: number,
 *   waste_bytes: number, overhead_bytes: number, links_attempted: number, links_failed: number,
 *   viewers: number,
 * }} Sample one second, as the stream has it; `at` is in seconds since 1970
 * @typedef {{ age: number, origin: number, peers: number, offload: number }} Point
 * bytes a second, how many seconds ago, and the offload from the start of the range until then
 */

export class History {
  #step = 10;
  /** @type {Map<number, Figures>} */
  #buckets = new Map();
  /** @type {Sample[]} */
  #recent = [];
  #asOf = Infinity;

  /** Nothing is known until what was written has come. */
  clear() {
    this.#buckets = new Map();
    this.#asOf = Infinity;
  }

  /** The stream begins anew, and tells again what it knows. */
  restart() {
    this.#recent = [];
  }

  /** @param {Series} series what was written */
  load({ step, as_of, points }) {
    this.#step = step;
    this.#asOf = as_of;
    this.#buckets = new Map(points.map((point) => [point.at, { ...point }]));
    for (const sample of this.#recent) this.#add(sample);
  }

  /** What was written cannot be had: what the stream tells is better than nothing. */
  doWithout() {
    if (this.#asOf === Infinity) this.load({ step: 10, as_of: 0, points: [] });
  }

  /** @param {Sample[]} samples newer ones */
  add(samples) {
    this.#recent.push(...samples);
    this.#recent.splice(0, this.#recent.length - KEPT);
    for (const sample of samples) this.#add(sample);
  }

  /**
   * Everything in the last `span` seconds.
   * @param {number} span
   * @returns {Figures}
   */
  total(span) {
    const total = nothing();
    for (const [, figures] of this.#within(span)) add(total, figures);
    return total;
  }

  /**
   * @param {number} span
   * @returns {Point[]} from the oldest to the newest
   */
  points(span) {
    const now = this.#now();
    const sum = nothing();
    /** @type {Point[]} */
    const points = [];
    /** @type {[number, Figures] | undefined} */
    let before;
    for (const [at, figures] of this.#within(span)) {
      add(sum, figures);
      const age = Math.max(0, now - at - this.#step);
      const adjacent = before && at - before[0] <= this.#step ? before[1] : undefined;
      if (points.length > 0 && !adjacent) {
        // Nothing ran meanwhile.
        const ended = points.at(-1);
        if (ended) points.push({ ...ended, origin: 0, peers: 0 });
        points.push({ age: now - at, origin: 0, peers: 0, offload: offload(sum) });
      }
      before = [at, figures];
      const mean = nothing();
      add(mean, figures);
      if (adjacent && this.#step <= FEW) add(mean, adjacent);
      if (mean.seconds < Math.min(FEW, this.#step) && points.length > 0) continue;
      const seconds = Math.max(1, mean.seconds);
      points.push({
        age,
        origin: Math.max(0, mean.origin_bytes / seconds),
        peers: Math.max(0, mean.peer_bytes_confirmed / seconds),
        offload: offload(sum),
      });
    }
    return points;
  }

  /** @param {Sample} sample */
  #add(sample) {
    if (sample.at <= this.#asOf) return;
    const at = Math.floor(sample.at / this.#step) * this.#step;
    const bucket = this.#buckets.get(at) ?? nothing();
    this.#buckets.set(at, bucket);
    add(bucket, {
      ...sample,
      peer_bytes_confirmed: sample.peer_bytes,
      peer_bytes_claimed: sample.claimed_bytes,
      seconds: 1,
      viewers_max: sample.viewers,
    });
  }

  #now() {
    const newest = this.#recent.at(-1)?.at ?? 0;
    return Math.max(newest, this.#asOf === Infinity ? 0 : this.#asOf);
  }

  /** @param {number} span */
  #within(span) {
    const start = this.#now() - span;
    return [...this.#buckets]
      .filter(([at]) => at + this.#step > start)
      .sort(([one], [other]) => one - other);
  }
}

/** @returns {Figures} */
function nothing() {
  return {
    origin_bytes: 0,
    peer_bytes_confirmed: 0,
    peer_bytes_claimed: 0,
    waste_bytes: 0,
    overhead_bytes: 0,
    links_attempted: 0,
    links_failed: 0,
    seconds: 0,
    viewers_max: 0,
  };
}

/**
 * @param {Figures} total
 * @param {Figures} more
 */
function add(total, more) {
  total.origin_bytes += more.origin_bytes;
  total.peer_bytes_confirmed += more.peer_bytes_confirmed;
  total.peer_bytes_claimed += more.peer_bytes_claimed;
  total.waste_bytes += more.waste_bytes;
  total.overhead_bytes += more.overhead_bytes;
  total.links_attempted += more.links_attempted;
  total.links_failed += more.links_failed;
  total.seconds += more.seconds;
  total.viewers_max = Math.max(total.viewers_max, more.viewers_max);
}

/**
 * @param {Figures} figures
 * @returns {number} confirmed of all media bytes, 0 to 1
 */
export function offload({ origin_bytes, peer_bytes_confirmed }) {
  const watched = origin_bytes + peer_bytes_confirmed;
  return watched > 0 ? Math.max(0, peer_bytes_confirmed / watched) : 0;
}
