/** The core's requests to the origin, by the player's own ways. */

import type { FetchRange, Input } from "./core/ports";
import type { RangeSink } from "./http-source";
import { Request, type Meters } from "./meters";
import { segmentId, type SegmentKey, type Span } from "./model";
import type { Located, Player } from "./player";

interface UnderWay {
  readonly segment: string;
  abort: () => void;
}

export interface RangeOwner {
  tell(input: Input): void;
  /** Where a segment lies by its record, which may come before the playlist that names it. */
  locate(key: SegmentKey): Located | undefined;
  /** A request for all of this segment was made, or brought something. */
  progress(key: SegmentKey, bytes: number): void;
  /** Adds to what HTTP brought in all. */
  count(bytes: number): void;
}

export class Ranges {
  private readonly _underWay = new Map<number, UnderWay>();

  constructor(
    private readonly _player: Player,
    private readonly _meters: Meters,
    private readonly _owner: RangeOwner,
  ) {}

  fetch(event: FetchRange): void {
    const { fetch, key } = event;
    const located = this._player.locate(key) ?? this._owner.locate(key);
    if (!located) {
      this._owner.tell({ type: "RangeFailed", fetch, reason: "missing" });
      return;
    }
    const request = new Request(located.url, this._meters, (bytes) => {
      this._owner.count(bytes);
    });
    const underWay = { segment: segmentId(key), abort: (): void => undefined };
    this._underWay.set(fetch, underWay);
    const sink = this._sink(event, request);
    try {
      const range = rangeOf(event, located);
      const stop = this._player.source(key)({ url: located.url, range, fresh: event.fresh }, sink);
      underWay.abort = () => {
        stop();
        request.broken();
      };
      if (event.whole) this._owner.progress(key, 0);
    } catch {
      sink.failed("unreachable");
    }
  }

  abort(fetch: number): void {
    const found = this._underWay.get(fetch);
    this._underWay.delete(fetch);
    found?.abort();
  }

  abortAll(): void {
    for (const fetch of [...this._underWay.keys()]) this.abort(fetch);
  }

  /** Whether a request for the segment is under way. */
  busy(key: SegmentKey): boolean {
    const wanted = segmentId(key);
    return [...this._underWay.values()].some(({ segment }) => segment === wanted);
  }

  private _sink({ fetch, key, whole }: FetchRange, request: Request): RangeSink {
    const { _owner: owner } = this;
    return {
      data: (data) => {
        request.arrived(data.length);
        if (whole && data.length) owner.progress(key, data.length);
        owner.tell({ type: "RangeData", fetch, data });
      },
      lost: (bytes) => {
        request.arrived(bytes);
      },
      done: (ttfb, took) => {
        this._underWay.delete(fetch);
        void request.done(ttfb, took).then((outcome) => {
          owner.tell({ type: "RangeDone", fetch, ...outcome });
        });
      },
      failed: (reason) => {
        this._underWay.delete(fetch);
        request.broken();
        owner.tell({ type: "RangeFailed", fetch, reason });
      },
    };
  }
}

/** No range for all of a file: caches keep the plain answer, and every server gives it. */
function rangeOf({ span, whole }: FetchRange, located: Located): Span | undefined {
  if (whole && located.whole) return undefined;
  return [located.offset + span[0], located.offset + span[1]];
}
