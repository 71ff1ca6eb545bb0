/**
 * What has moved since it was last reported: chunk by chunk, told as runs.
 *
 * A report says which chunks came and went, not how many bytes: so the two ends of a link can be
 * held against each other, and nobody can claim a chunk twice. What is told is taken out; what there
 * is no room for stays for the next report.
 */

import { CHUNK_SIZE, segmentId, type ChunkKey, type SegmentKey, type Span } from "../model";
import { run, spansIn, type Mask } from "./bits";
import type { Route } from "./ports";

/** In the runs of a report: some 30 KB of the 64 KiB that a message may have. */
export const MOST_NUMBERS = 6_000;
/** In a report (the wire's own bound). */
export const MOST_RENDITIONS = 16;
/** Of one segment in a report (the wire's own bound is 2,048). */
export const MOST_RUNS = 2_000;

/** See `Report` on the wire. */
export type Runs = readonly number[];

/** What a report has room for, and the renditions that it names. */
export class Room {
  readonly renditions: string[] = [];
  private _left = MOST_NUMBERS;

  /** The rendition's number in the report; none if there are too many. */
  number(rendition: string): number | undefined {
    const known = this.renditions.indexOf(rendition);
    if (known >= 0) return known;
    return this.renditions.length < MOST_RENDITIONS
      ? this.renditions.push(rendition) - 1
      : undefined;
  }

  /** Whether there is room for so many more. */
  take(numbers: number): boolean {
    const fits = numbers <= this._left;
    if (fits) this._left -= numbers;
    return fits;
  }
}

/** Chunks of one segment that have moved. */
interface Part {
  readonly segment: SegmentKey;
  mask: Mask;
  /** The last chunk of the segment and its bytes, if it is short and among them. */
  tail?: readonly [chunk: number, size: number];
}

/** Chunks that have moved one way. */
export class Moved {
  private readonly _parts = new Map<string, Part>();

  get empty(): boolean {
    return this._parts.size === 0;
  }

  /** This chunk, of so many bytes. */
  add(key: ChunkKey, size: number): void {
    this.addRun(key, [key.chunk, key.chunk], size);
  }

  /** These chunks, of which the last has so many bytes. */
  addRun({ rendition, sequence }: SegmentKey, [first, last]: Span, size: number): void {
    if (last < first) return;
    const segment = { rendition, sequence };
    const id = segmentId(segment);
    const part: Part = this._parts.get(id) ?? { segment, mask: 0n };
    part.mask |= run(first, last);
    if (size < CHUNK_SIZE) part.tail = [last, size];
    this._parts.set(id, part);
  }

  /** Tell what there is room for, and forget it. */
  take(room: Room): Runs[] {
    const told: [number, number, ...number[]][] = [];
    for (const [id, part] of this._parts) {
      const { segment, tail } = part;
      const number = room.number(segment.rendition);
      const spans = spansIn(part.mask).slice(0, MOST_RUNS);
      if (number === undefined || !room.take(3 + 2 * spans.length)) break;
      const last = spans.at(-1)?.[1] ?? 0;
      told.push([number, segment.sequence, tail?.[0] === last ? tail[1] : 0, ...spans.flat()]);
      const shift = BigInt(last + 1);
      part.mask = (part.mask >> shift) << shift;
      if (!part.mask) this._parts.delete(id);
    }
    return told.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }
}

/** What has gone over one link since it was last reported. */
export class Account {
  readonly received = new Moved();
  readonly sent = new Moved();
  /** Bytes that came in vain. */
  waste = 0;
  /** Chunks with a wrong hash. */
  rejected = 0;

  constructor(
    /** By which kind of way it goes, if that is known. */
    public route?: Route,
  ) {}

  get empty(): boolean {
    return this.received.empty && this.sent.empty && !this.waste && !this.rejected;
  }
}
