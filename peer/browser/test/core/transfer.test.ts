/** A transfer's chunks and the fetches that bring them. */

import { describe, expect, it } from "vitest";

import { Fetch, Transfer } from "../../src/core/transfer";
import { CHUNK_SIZE, HASH_SIZE } from "../../src/model";
import type { SegmentRecord } from "../../src/wire/manifest";

const key = { rendition: "v", sequence: 1 };
const length = 2 * CHUNK_SIZE + 100;
const bytes = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(size);

describe("a fetch", () => {
  it("cuts what arrives into chunks, however it arrives", () => {
    const fetch = new Fetch(1, key, length, [1, 2]);
    expect(fetch.take(bytes(CHUNK_SIZE - 1))).toStrictEqual([]);
    expect(fetch.rest()).toBe(CHUNK_SIZE - 1);
    expect(fetch.take(bytes(51))?.map(([chunk, data]) => [chunk, data.length])).toStrictEqual([
      [1, CHUNK_SIZE],
    ]);
    expect([fetch.rest(), fetch.left()]).toStrictEqual([50, [2]]);
    expect(fetch.take(bytes(50))?.map(([chunk, data]) => [chunk, data.length])).toStrictEqual([
      [2, 100],
    ]);
    expect([fetch.received, fetch.rest(), fetch.left()]).toStrictEqual([CHUNK_SIZE + 100, 0, []]);
  });

  it("gives all its chunks at once, if they come at once", () => {
    const fetch = new Fetch(1, key, length, [0, 2]);
    expect(fetch.take(bytes(length))?.map(([chunk]) => chunk)).toStrictEqual([0, 1, 2]);
  });

  it("takes not one byte more than was asked for", () => {
    expect(new Fetch(1, key, length, [0, 0]).take(bytes(CHUNK_SIZE + 1))).toBeNull();
    expect(new Fetch(1, key, length, [2, 2]).take(bytes(101))).toBeNull();
  });
});

describe("a transfer", () => {
  const hashes = Uint8Array.from({ length: 3 * HASH_SIZE }, (_, i) => i);
  const begin = (held = 0n): Transfer =>
    new Transfer(key, { length } as SegmentRecord, hashes, held, 0, 0);
  let last = 0;
  const numbers = (): number => ++last;

  it("wants what is not held", () => {
    const transfer = begin(0b010n);
    expect([transfer.chunks, transfer.missing, transfer.have]).toStrictEqual([3, 0b101n, 0b010n]);
    expect(transfer.bytesMissing()).toBe(CHUNK_SIZE + 100);
    expect(begin(0b100n).bytesMissing()).toBe(2 * CHUNK_SIZE);
    expect([transfer.complete, begin(0b111n).complete]).toStrictEqual([false, true]);
  });

  it("takes the first copy and checks it against its own hash", () => {
    const transfer = begin();
    transfer.askedPeer(1);
    expect([transfer.missing, transfer.peer, transfer.busy]).toStrictEqual([0b101n, 0b010n, true]);
    transfer.askedOrigin([0, 1]);
    const { missing, peer, origin } = transfer;
    expect([missing, peer, origin]).toStrictEqual([0b100n, 0n, 0b011n]);
    expect(transfer.bytesMissing()).toBe(length);
    const copy = { chunk: 1, data: bytes(CHUNK_SIZE), link: 4 };
    const check = transfer.arrived(copy, numbers, 0);
    expect(check?.digest).toStrictEqual(hashes.slice(HASH_SIZE, 2 * HASH_SIZE));
    expect([transfer.origin, transfer.checking]).toStrictEqual([0b001n, 0b010n]);
    expect(transfer.arrived(copy, numbers, 0)).toBeNull();
    expect(transfer.timerAt()).toBe(5);
    expect(transfer.checksBefore(4.9)).toStrictEqual([]);
    expect(transfer.checksBefore(5)).toStrictEqual([check?.check]);
    expect(transfer.checked(check?.check ?? 0, true)).toBe(copy);
    expect([transfer.checking, transfer.have]).toStrictEqual([0n, 0b010n]);
    expect([transfer.peerBytes, transfer.timerAt()]).toStrictEqual([CHUNK_SIZE, null]);
    expect(transfer.arrived(copy, numbers, 0)).toBeNull();
  });

  it("wants a chunk again whose copy was wrong", () => {
    const transfer = begin();
    const check = transfer.arrived({ chunk: 0, data: bytes(CHUNK_SIZE) }, numbers, 0);
    transfer.checked(check?.check ?? 0, false);
    expect([transfer.missing, transfer.originBytes]).toStrictEqual([0b111n, 0]);
    expect(transfer.checked(check?.check ?? 0, true)).toBeNull();
  });

  it("loses a chunk only to the source that was asked", () => {
    const transfer = begin();
    transfer.askedPeer(0);
    transfer.lost(0, "origin");
    expect(transfer.peer).toBe(0b001n);
    transfer.lost(0, "peer");
    expect([transfer.peer, transfer.missing]).toStrictEqual([0n, 0b111n]);
  });

  it("gives the origin pauses that double, up to 4 s", () => {
    const transfer = begin();
    const pauses = Array.from({ length: 6 }, () => {
      transfer.originFailed(0);
      return transfer.originAfter;
    });
    expect(pauses).toStrictEqual([0.25, 0.5, 1, 2, 4, 4]);
  });
});
