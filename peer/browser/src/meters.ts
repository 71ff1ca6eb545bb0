/** What is measured of HTTP on a page, whichever session asked. */

import { CacheWatch } from "./cache-watch";
import { Throughput } from "./throughput";

export class Meters {
  readonly throughput = new Throughput();
  readonly cache = new CacheWatch();
}

/** One request for media: how many bytes it has cost so far, and where they came from. */
export class Request {
  private readonly verdict: () => Promise<boolean>;

  constructor(
    url: string,
    private readonly meters: Meters,
    /** Adds to (or takes back from) what HTTP brought in all. */
    private readonly count: (bytes: number) => void,
  ) {
    this.verdict = meters.cache.expect(url);
  }

  private bytes = 0;

  arrived(bytes: number): void {
    this.bytes += bytes;
    this.count(bytes);
  }

  /** It is complete; tells whether it came from the cache. Times are seconds since its start. */
  async done(ttfb: number, took: number): Promise<boolean> {
    const cached = await this.verdict();
    if (cached) this.count(-this.bytes);
    else this.meters.throughput.measured(this.bytes, ttfb, took);
    return cached;
  }

  /** It brought less than was asked for. */
  broken(): void {
    void this.verdict();
  }
}
