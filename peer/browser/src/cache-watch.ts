/**
 * Tells answers of the origin from those of the browser's own HTTP cache, which cost nothing; and
 * how long the network took for a body, however late the page came to look at it.
 *
 * Only Resource Timing knows: what was transferred is less than what the body holds. To a page of
 * another origin it says so only if the answer carried `Timing-Allow-Origin`; unknown means the
 * origin.
 */

/** Milliseconds that an entry may come after its answer's last byte. */
const PATIENCE = 100;

/** What Resource Timing knows of an answer. */
export interface Seen {
  readonly cached: boolean;
  /** Seconds from the first byte to the last; infinity if that is not known. */
  readonly body: number;
  /** Bytes of the body: of several answers from one place, the times may be those of another. */
  readonly size: number;
}

const NOTHING: Seen = { cached: false, body: Infinity, size: 0 };

interface Expected {
  readonly name: string;
  readonly since: number;
  readonly seen: (seen: Seen) => void;
}

export class CacheWatch {
  private readonly _expected = new Set<Expected>();
  private readonly _observer: PerformanceObserver | undefined;

  constructor() {
    try {
      // An observer, since the page's own list of entries is full after 250.
      this._observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) this._take(entry as PerformanceResourceTiming);
      });
      this._observer.observe({ type: "resource" });
    } catch {
      this._observer = undefined;
    }
  }

  /**
   * Call it as a request for `url` is made, and what it returns when the request is over: that
   * tells, soon, what is known of the answer.
   */
  expect(url: string): () => Promise<Seen> {
    let seen!: Expected["seen"];
    const verdict = new Promise<Seen>((resolve) => {
      seen = resolve;
    });
    const { href, hash } = new URL(url, location.href);
    const name = href.slice(0, href.length - hash.length);
    const expected = { name, since: performance.now(), seen };
    this._expected.add(expected);
    return () => {
      const giveUp = (): void => {
        this._settle(expected, NOTHING);
      };
      setTimeout(giveUp, this._observer ? PATIENCE : 0);
      return verdict;
    };
  }

  private _take(entry: PerformanceResourceTiming): void {
    for (const expected of this._expected) {
      // The clock of entries may be coarser than ours by up to a millisecond.
      if (expected.name === entry.name && entry.startTime >= expected.since - 1) {
        const { transferSize, encodedBodySize, responseStart, responseEnd } = entry;
        const body = responseStart ? (responseEnd - responseStart) / 1_000 : Infinity;
        this._settle(expected, { cached: transferSize < encodedBodySize, body, size: encodedBodySize });
        return;
      }
    }
  }

  private _settle(expected: Expected, seen: Seen): void {
    this._expected.delete(expected);
    expected.seen(seen);
  }
}
