/**
 * The segments of one rendition, as far as they are known: records, and proved chunk hashes.
 *
 * A page may be believed if it *fits*. Time never goes back: a page that is older than the newest
 * one may fill gaps, but whatever changes a record or brings back what has gone was rolled back, or
 * comes out of a stale cache.
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
  /** Of the newest page. */
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
  fits({ time, segments }: RenditionManifest): boolean {
    return time > this._time || segments.every((record) => this._fillsGap(record));
  }

  /** Whether a page speaks of a segment that is not known as it says. */
  lacks({ segments }: RenditionManifest): boolean {
    return segments.some((record) => !this.knows(record.sequence) || !this.has(record));
  }

  // Taking in

  /** Take the records of a page that fits; returns the segments that have changed. */
  believe(page: RenditionManifest): number[] {
    const changed = page.segments.filter((record) => this._enter(record));
    if (page.time >= this._time) {
      this._time = page.time;
      this.last = page.last;
      this.live = page.live;
      this._forgetBefore(page.first);
    }
    return changed.map(({ sequence }) => sequence);
  }

  /** These hashes give the record's root; returns whether the segment is known by that. */
  know(record: SegmentRecord, hashes: Bytes): boolean {
    const { sequence } = record;
    if (this.knows(sequence) || !this.has(record)) return false;
    this._hashes.set(sequence, hashes);
    this.newestKnown = Math.max(this.newestKnown, sequence);
    return true;
  }

  private _fillsGap(record: SegmentRecord): boolean {
    const { sequence } = record;
    const there = sequence >= this.first && sequence <= this.last;
    return there && (!this._records.has(sequence) || this.has(record));
  }

  private _enter(record: SegmentRecord): boolean {
    if (this.has(record)) return false;
    const changes = this._forget(record.sequence);
    this._records.set(record.sequence, record);
    this._bytes += record.length;
    this._duration += record.duration;
    return changes;
  }

  private _forget(sequence: number): boolean {
    const record = this._records.get(sequence);
    this._bytes -= record?.length ?? 0;
    this._duration -= record?.duration ?? 0;
    this._hashes.delete(sequence);
    return this._records.delete(sequence);
  }

  private _forgetBefore(first: number): void {
    this.first = first;
    for (const sequence of this._records.keys()) if (sequence < first) this._forget(sequence);
  }
}

/** Whether two values say the same; the decoder names their fields in one order. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
