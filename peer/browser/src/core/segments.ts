/**
 * The segments of one rendition, as far as they are known: records, and proved chunk hashes.
 *
 * A page may be believed if it *fits*:
 *
 *     a later era      and a later time: all that was known is void
 *     the same era     no record changes; a later time: the newest segment is not an older one;
 *                      else it fills gaps, and brings nothing from beyond the newest page's bounds
 *     an earlier era   never
 *
 * What does not fit was rolled back, or comes out of a stale cache.
 */

import type { Bytes } from "../model";
import type { RenditionManifest, SegmentRecord } from "../wire/manifest";

/** What is known of the segments of a rendition. */
export class Segments {
  live = false;
  /** Sequences of the rendition's oldest and newest segment, as the newest page has them. */
  first = 0;
  last = -1;
  /** The newest segment that could be verified, so far. */
  newestKnown = -1;
  /** Both of the newest page. */
  era = -1;
  private _time = -1;
  private readonly _records = new Map<number, SegmentRecord>();
  private readonly _hashes = new Map<number, Bytes>();
  /** What the segments with a record weigh, and the milliseconds that they last. */
  private _bytes = 0;
  private _duration = 0;

  // What is known

  record(sequence: number): SegmentRecord | undefined {
    return this._records.get(sequence);
  }

  /** The proved hashes of a segment's chunks, one after the other; none if they are not known. */
  hashes(sequence: number): Bytes | undefined {
    return this._hashes.get(sequence);
  }

  /** Whether every chunk of the segment can be verified. */
  knows(sequence: number): boolean {
    return this._hashes.has(sequence);
  }

  /** Whether that is what the record of the segment says. */
  has(record: SegmentRecord): boolean {
    return same(this._records.get(record.sequence), record);
  }

  /** What a segment weighs on average; 0 if there is no record of any. */
  usualBytes(): number {
    return Math.floor(this._bytes / (this._records.size || 1));
  }

  /** How long a segment lasts on average, in milliseconds; 0 if that is not known. */
  usualDuration(): number {
    return Math.floor(this._duration / (this._records.size || 1));
  }

  // What a page says

  /** Whether a page can be true beside what is known. */
  fits({ era, time, last, segments }: RenditionManifest): boolean {
    const newer = time > this._time;
    if (era !== this.era) return era > this.era && newer;
    if (segments.some((record) => this.record(record.sequence) && !this.has(record))) return false;
    if (newer) return last >= this.last;
    return segments.every(({ sequence }) => sequence >= this.first && sequence <= this.last);
  }

  /** Whether a page speaks of another era, or of a segment that is not known as it says. */
  lacks({ era, segments }: RenditionManifest): boolean {
    if (era !== this.era) return true;
    return segments.some((record) => !this.knows(record.sequence) || !this.has(record));
  }

  // Taking in

  /** Take the records of a page that fits; returns whether what was known is void by that. */
  believe(page: RenditionManifest): boolean {
    const renewed = this.era >= 0 && page.era > this.era;
    if (renewed) {
      this._forgetBefore(Infinity);
      this.newestKnown = -1;
    }
    for (const record of page.segments) this._enter(record);
    if (page.time >= this._time) {
      this.era = page.era;
      this._time = page.time;
      this.last = page.last;
      this.live = page.live;
      this._forgetBefore(page.first);
    }
    return renewed;
  }

  /** These hashes give the record's root; returns whether the segment is known by that. */
  know(record: SegmentRecord, hashes: Bytes): boolean {
    const { sequence } = record;
    if (this.knows(sequence) || !this.has(record)) return false;
    this._hashes.set(sequence, hashes);
    this.newestKnown = Math.max(this.newestKnown, sequence);
    return true;
  }

  private _enter(record: SegmentRecord): void {
    const { sequence, length, duration } = record;
    if (this._records.has(sequence)) return;
    this._records.set(sequence, record);
    this._bytes += length;
    this._duration += duration;
  }

  private _forgetBefore(first: number): void {
    this.first = first;
    for (const [sequence, { length, duration }] of this._records) {
      if (sequence >= first) continue;
      this._records.delete(sequence);
      this._hashes.delete(sequence);
      this._bytes -= length;
      this._duration -= duration;
    }
  }
}

/** Whether two values say the same; the decoder names their fields in one order. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
