/**
 * How fast the origin has been: what a player's choice of quality should rest on, whether or not
 * peers deliver. Bytes from the HTTP cache never count.
 */

/** How much the newest request weighs. A handful of them describes the network as it is now. */
const NEWEST = 0.3;

/** Smaller answers say more about delay than about throughput. */
const LEAST_BYTES = 16_384;

/** The finest that a browser's clock may measure: no body arrives in less. */
const LEAST_SECONDS = 0.001;

export class Throughput {
  /** Bytes a second; unknown until something was measured. */
  rate: number | undefined;
  /** Seconds to the first byte. */
  ttfb = 0;
  /** Bytes that an answer brings. */
  private _usual = 0;

  /** A request that brought `bytes`: the first after `ttfb` seconds, the last after `took`. */
  measured(bytes: number, ttfb: number, took: number): void {
    if (bytes < LEAST_BYTES) return;
    const rate = bytes / Math.max(took - ttfb, LEAST_SECONDS);
    if (this.rate === undefined) {
      this.rate = rate;
      this.ttfb = ttfb;
      this._usual = bytes;
      return;
    }
    // What is smaller than usual, as a part of a segment, is over before it is up to speed.
    const weight = NEWEST * Math.min(bytes / this._usual, 1);
    this.rate += (rate - this.rate) * weight;
    this.ttfb += (ttfb - this.ttfb) * NEWEST;
    this._usual += (bytes - this._usual) * weight;
  }
}
