/** Media that nobody had to film: the bytes of the scenarios' segments, and their manifests. */

import { createHash } from "node:crypto";

import { CHUNK_SIZE, joined, segmentId, type Bytes, type SegmentKey, type Span } from "../../src/model";
import {
  PAGE_RECORDS,
  rootInput,
  signedBytes,
  toBase64,
  type Key,
  type Records,
  type RenditionManifest,
  type SegmentRecord,
} from "../../src/wire/manifest";

export const SITE = "pk_demo";
export const CONTENT = "00112233445566778899aabbccddeeff";

/** The origin's, so to speak: what it signs is *genuine* if the signature is a plain SHA-256. */
export const KEY: Key = {
  id: "media",
  algorithm: "ed25519",
  public: toBase64(new Uint8Array(32)),
};

/** The truth about a `Verify`, as the scenarios' README says. */
export function genuine(data: Bytes, signature: Bytes): boolean {
  return toBase64(sha256(data)) === toBase64(signature);
}

/** The page with the only signature that is genuine. */
export function signed(page: RenditionManifest): RenditionManifest {
  const value = toBase64(sha256(signedBytes(page)));
  return { ...page, signatures: [{ key: KEY.id, algorithm: "ed25519", value }] };
}

/** One segment of the media. */
export interface Piece {
  readonly rendition: string;
  readonly sequence: number;
  readonly length: number;
  /** Milliseconds. */
  readonly duration: number;
  /** Seconds. */
  readonly published?: number;
}

export function sha256(data: Uint8Array): Bytes {
  return Uint8Array.from(createHash("sha256").update(data).digest());
}

/** Bytes `first` to `last` of a segment, as the scenarios' README says. */
export function synthetic({ rendition, sequence }: SegmentKey, [first, last]: Span): Bytes {
  const seed = 31 * sequence + rendition.charCodeAt(0);
  const data = new Uint8Array(last - first + 1);
  for (let i = first; i <= last; i++) data[i - first] = seed + 7 * i + 3 * (i >> 8) + 5 * (i >> 16);
  return data;
}

/** The same bytes, but for the last. */
export function inverted(data: Bytes): Bytes {
  const last = data.length - 1;
  return data.map((byte, at) => (at === last ? byte ^ 255 : byte));
}

/** When the newest of these came out, in milliseconds. */
function timeOf(pieces: readonly Piece[]): number {
  return 1 + Math.round(1_000 * Math.max(0, ...pieces.map(({ published = 0 }) => published)));
}

/** All segments of a content, and what an origin would answer about them. */
export class Media {
  private readonly known = new Map<string, { data: Bytes; hashes: Bytes }>();

  constructor(
    private readonly pieces: readonly Piece[],
    private readonly live: boolean,
  ) {}

  bytesOf(key: SegmentKey): Bytes {
    return this.parts(key).data;
  }

  /** The page that holds a segment, as an origin would answer now. */
  page(rendition: string, sequence: number, now: number): RenditionManifest {
    const there = this.published(rendition, now);
    const page = (of: number): number => Math.floor(of / PAGE_RECORDS);
    const time = timeOf(there);
    const records = there.filter((piece) => page(piece.sequence) === page(sequence));
    return this.pageOf(rendition, records, now, time, false);
  }

  /** The page of just these segments, as an origin would answer now. */
  few(rendition: string, sequences: Span, now: number): RenditionManifest {
    return this.pageOfSpan(rendition, sequences, now);
  }

  /** What a peer that knows these segments would tell another one. */
  records(rendition: string, sequences: Span, now: number): Records {
    const page = { ...this.few(rendition, sequences, now), keys: [] };
    const hashes = this.hashes(rendition, sequences, now) ?? new Uint8Array();
    return { type: "records", page, hashes: toBase64(hashes) };
  }

  /** A page with the records of the segments of a span. */
  pageOfSpan(
    rendition: string,
    [first, last]: Span,
    now: number,
    time?: number,
    wrong = false,
    era = 0,
  ): RenditionManifest {
    const there = this.published(rendition, now);
    const pieces = there.filter(({ sequence }) => sequence >= first && sequence <= last);
    return this.pageOf(rendition, pieces, now, time ?? timeOf(there), wrong, era);
  }

  /** The hashes of a run of segments; null if one of them is not there. */
  hashes(rendition: string, [first, last]: Span, now: number): Bytes | null {
    const there = this.published(rendition, now);
    const pieces = there.filter(({ sequence }) => sequence >= first && sequence <= last);
    if (pieces.length !== last - first + 1) return null;
    return joined(pieces.map((piece) => this.parts(piece).hashes));
  }

  /** The segments of a rendition that are there by `now`, ascending. */
  private published(rendition: string, now: number): Piece[] {
    return this.pieces
      .filter((piece) => piece.rendition === rendition && (piece.published ?? 0) <= now)
      .sort((a, b) => a.sequence - b.sequence);
  }

  private pageOf(
    rendition: string,
    pieces: readonly Piece[],
    now: number,
    time: number,
    wrong: boolean,
    era = 0,
  ): RenditionManifest {
    const there = this.published(rendition, now);
    return signed({
      type: "rendition",
      version: 1,
      site: SITE,
      content: CONTENT,
      rendition,
      chunk_size: 65_536,
      live: this.live,
      time,
      first: there.at(0)?.sequence ?? 0,
      last: there.at(-1)?.sequence ?? -1,
      segments: pieces.map((piece) => this.record(piece, wrong)),
      era,
      signatures: [],
      keys: [KEY],
    });
  }

  private record(piece: Piece, wrong: boolean): SegmentRecord {
    const { rendition, sequence, length, duration } = piece;
    const { hashes } = this.parts(piece);
    const input = rootInput(CONTENT, rendition, sequence + Number(wrong), length, [hashes]);
    const root = Array.from(sha256(input), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { sequence, uri: `${sequence}.ts`, length, root, duration, offset: 0 };
  }

  private parts(key: SegmentKey): { data: Bytes; hashes: Bytes } {
    const known = this.known.get(segmentId(key));
    if (known) return known;
    const piece = this.pieces.find((one) => segmentId(one) === segmentId(key));
    if (!piece) throw new Error(`the scenario has no segment ${segmentId(key)}`);
    const data = synthetic(key, [0, piece.length - 1]);
    const hashes = [];
    for (let at = 0; at < data.length; at += CHUNK_SIZE) {
      hashes.push(sha256(data.subarray(at, at + CHUNK_SIZE)));
    }
    const parts = { data, hashes: joined(hashes) };
    this.known.set(segmentId(key), parts);
    return parts;
  }
}
