/**
 * What others may be told of a live rendition: each segment once, when it has become known.
 *
 * What came over a link is passed on as it came. What the origin answered is passed on if just these
 * records were asked for, as the first to hear of a segment do: whole pages are too large, and are
 * what somebody needs who has only just come.
 */

import { joined } from "../model";
import { BASE64_LENGTH, toBase64, type Records, type RenditionManifest } from "../wire/manifest";
import type { Segments } from "./segments";

/** Records that are asked for, and passed on, by themselves. */
export const FEW = 3;
/** Short pages whose segments are not all known yet. */
const MOST_WAITING = 8;

/**
 * Records of a live rendition, proved, that others may not have yet.
 *
 * `link` is who brought them; null if the origin or the tracker's socket did.
 */
export interface Learned {
  readonly type: "Learned";
  readonly records: Records;
  readonly link: number | null;
}

/** What has been told, and what waits to be. */
export class News {
  private readonly _told = new Set<number>();
  private _waiting: RenditionManifest[] = [];

  constructor(private readonly _segments: Segments) {}

  /** The origin has answered a short page. */
  page(page: RenditionManifest): void {
    const { live, signatures, segments } = page;
    if (!live || !signatures.length || !segments.length || segments.length > FEW) return;
    this._waiting = [...this._waiting, { ...page, keys: [] }].slice(-MOST_WAITING);
  }

  /** The rendition has begun anew: whatever it has now is news. */
  renewed(): void {
    this._told.clear();
    this._waiting = [];
  }

  /** The short pages whose segments have all become known, if they are news. */
  ripe(): Learned[] {
    const known = this._segments;
    // The others have changed, or they have gone.
    const current = this._waiting.filter(({ segments }) => segments.every((r) => known.has(r)));
    this._waiting = current.filter((page) => known.lacks(page));
    const ripe = current.filter((page) => !known.lacks(page));
    return ripe.flatMap((page) => this.proved(this._records(page), null));
  }

  /** These records are known now; returns them if they are news that fit a message. */
  proved(records: Records, link: number | null): Learned[] {
    for (const sequence of this._told) {
      if (sequence < this._segments.first) this._told.delete(sequence);
    }
    const sequences = records.page.segments.map(({ sequence }) => sequence);
    const old = sequences.every((sequence) => this._told.has(sequence));
    if (old || records.hashes.length > BASE64_LENGTH) return [];
    for (const sequence of sequences) this._told.add(sequence);
    return [{ type: "Learned", records, link }];
  }

  private _records(page: RenditionManifest): Records {
    const hashes = page.segments.map(({ sequence }) => this._segments.hashes(sequence) ?? []);
    return { type: "records", page, hashes: toBase64(joined(hashes)) };
  }
}
