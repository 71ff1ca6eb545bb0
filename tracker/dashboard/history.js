// @ts-check
/**
 * The last minutes, as the chart wants them.
 *
 * Peers report every few seconds, so their bytes come in steps, and a viewer who claimed too much
 * is corrected later. Each point is therefore the mean of the seconds before it.
 */

/** Seconds that the chart shows. */
export const SPAN = 300;

/** Seconds that a point is the mean of: as long as peers take to report. */
const MEAN = 10;

/**
 * @typedef {{ at: number, origin_bytes: number, peer_bytes: number, offload: number }} Sample
 * one second, as the stream has it; `at` is in seconds since 1970
 * @typedef {{ age: number, origin: number, peers: number, offload: number }} Point
 * bytes a second, and how many seconds ago
 */

export class History {
  /** @type {Sample[]} */
  #samples = [];

  /** The stream begins anew, and tells again what it knows. */
  clear() {
    this.#samples = [];
  }

  /** @param {Sample[]} samples newer ones */
  add(samples) {
    this.#samples.push(...samples);
    const newest = this.#samples.at(-1)?.at ?? 0;
    const kept = this.#samples.findIndex(({ at }) => at > newest - SPAN - MEAN);
    this.#samples.splice(0, kept);
  }

  /** @returns {Point[]} from the oldest to the newest */
  points() {
    const newest = this.#samples.at(-1)?.at ?? 0;
    return this.#samples.map(({ at, offload }, index) => ({
      age: newest - at,
      origin: this.#mean(index, "origin_bytes"),
      peers: this.#mean(index, "peer_bytes"),
      offload,
    }));
  }

  /**
   * @param {number} index of the last sample that counts
   * @param {"origin_bytes" | "peer_bytes"} name
   */
  #mean(index, name) {
    const window = this.#samples.slice(Math.max(0, index + 1 - MEAN), index + 1);
    const sum = window.reduce((total, sample) => total + sample[name], 0);
    return Math.max(0, sum / window.length);
  }
}
