/** What is measured of HTTP on a page, whichever session asked. */

import { CacheWatch, type Seen } from "./cache-watch";
import { Throughput } from "./throughput";

export class Meters {
  readonly throughput = new Throughput();
  readonly cache = new CacheWatch();
}

/** How a request went. Times are seconds since it was made. */
export interface Outcome {
  /** Whether it came from the browser's own cache. */
  readonly cached: boolean;
  readonly ttfb: number;
  readonly took: number;
}

/** One request for media: how many bytes it has cost so far, and where they came from. */
export class Request {
  private readonly _verdict: () => Promise<Seen>;

  constructor(
    url: string,
    private readonly _meters: Meters,
    /** Adds to (or takes back from) what HTTP brought in all. */
    private readonly _count: (bytes: number) => void,
  ) {
    this._verdict = _meters.cache.expect(url);
  }

  private _bytes = 0;

  arrived(bytes: number): void {
    this._bytes += bytes;
    this._count(bytes);
  }

  /**
   * It is complete. A player's choice of quality rests on the times as the page has seen them, as a
   * plain player's does; what is said of the origin, on those of the network.
   */
  async done(ttfb: number, took: number): Promise<Outcome> {
    const { cached, body, size } = await this._verdict();
    if (cached) this._count(-this._bytes);
    else this._meters.throughput.measured(this._bytes, ttfb, took);
    return { cached, ttfb, took: size === this._bytes ? Math.min(took, ttfb + body) : took };
  }

  /** It brought less than was asked for. */
  broken(): void {
    void this._verdict();
  }
}
