/**
 * The chunks that a peer holds: verified ones only, within a bound of bytes.
 *
 * When the bound is passed, whole segments go: first those that the play head has left furthest
 * behind, then those furthest ahead. A segment that is on its way in, or about to be handed to the
 * player, is pinned by the caller.
 */

import { joined, segmentId, type Bytes, type ChunkKey, type SegmentKey } from "../model";
import { bitOf, type Mask } from "./bits";

/** A segment, and the chunks that are held of it. */
interface Held {
  readonly segment: SegmentKey;
  readonly chunks: Map<number, Bytes>;
  mask: Mask;
}

/** Holds at most `limit` bytes of chunks, once `evict` has been called. */
export class Store {
  size = 0;
  private readonly _held = new Map<string, Held>();

  constructor(readonly limit: number) {}

  /** Keep a verified chunk; one that is held already stays as it is. */
  put(key: ChunkKey, data: Bytes): void {
    const { rendition, sequence, chunk } = key;
    const id = segmentId(key);
    const segment = { rendition, sequence };
    const held = this._held.get(id) ?? { segment, chunks: new Map<number, Bytes>(), mask: 0n };
    this._held.set(id, held);
    if (held.chunks.has(chunk)) return;
    held.chunks.set(chunk, data);
    held.mask |= bitOf(chunk);
    this.size += data.length;
  }

  get(key: ChunkKey): Bytes | undefined {
    return this._held.get(segmentId(key))?.chunks.get(key.chunk);
  }

  /** The numbers of the chunks held of a segment. */
  chunks(segment: SegmentKey): number[] {
    return [...(this._held.get(segmentId(segment))?.chunks.keys() ?? [])];
  }

  /** The same as a mask (see `bits`). */
  mask(segment: SegmentKey): Mask {
    return this._held.get(segmentId(segment))?.mask ?? 0n;
  }

  /** The bytes held of a segment. */
  sizeOf(segment: SegmentKey): number {
    const chunks = [...(this._held.get(segmentId(segment))?.chunks.values() ?? [])];
    return chunks.reduce((sum, data) => sum + data.length, 0);
  }

  /** Every segment of which something is held. */
  segments(): SegmentKey[] {
    return Array.from(this._held.values(), ({ segment }) => segment);
  }

  /** The bytes of a segment whose chunks are all held. */
  assemble(segment: SegmentKey): Bytes {
    const chunks = [...(this._held.get(segmentId(segment))?.chunks ?? [])];
    return joined(chunks.sort(([a], [b]) => a - b).map(([, data]) => data));
  }

  /** Forget a segment; returns the chunks that were held of it. */
  drop(segment: SegmentKey): number[] {
    const chunks = this.chunks(segment).sort((a, b) => a - b);
    this.size -= this.sizeOf(segment);
    this._held.delete(segmentId(segment));
    return chunks;
  }

  /**
   * Drop segments until the bound holds; returns what was dropped.
   *
   * `head` is the sequence at the play head. What is pinned stays, even over the bound.
   */
  evict(head: number, pinned: ReadonlySet<string>): [SegmentKey, number[]][] {
    const dropped: [SegmentKey, number[]][] = [];
    for (const segment of this.segments().sort((a, b) => compareWorth(a, b, head))) {
      if (this.size <= this.limit) break;
      if (!pinned.has(segmentId(segment))) dropped.push([segment, this.drop(segment)]);
    }
    return dropped;
  }
}

/** Sorts what is behind the play head before what is ahead, the furthest first. */
function compareWorth(a: SegmentKey, b: SegmentKey, head: number): number {
  const ahead = Number(a.sequence >= head) - Number(b.sequence >= head);
  const nearer = Math.abs(b.sequence - head) - Math.abs(a.sequence - head);
  return ahead || nearer || (a.rendition < b.rendition ? -1 : 1);
}
