/** The store: verified chunks within a bound of bytes. */

import { describe, expect, it } from "vitest";

import { Store } from "../../src/core/store";
import { segmentId } from "../../src/model";

const chunk = (size: number, byte = 0): Uint8Array<ArrayBuffer> => new Uint8Array(size).fill(byte);

/** One chunk of 10 bytes of each of these segments of v. */
function storeOf(limit: number, ...sequences: number[]): Store {
  const store = new Store(limit);
  for (const sequence of sequences) store.put({ rendition: "v", sequence, chunk: 0 }, chunk(10));
  return store;
}

function held(store: Store): number[] {
  return store.segments().map(({ sequence }) => sequence);
}

describe("a store", () => {
  const v = { rendition: "v", sequence: 0 };

  it("keeps the first copy of a chunk", () => {
    const store = new Store(100);
    store.put({ ...v, chunk: 0 }, chunk(10, 1));
    store.put({ ...v, chunk: 0 }, chunk(10, 2));
    expect(store.get({ ...v, chunk: 0 })).toStrictEqual(chunk(10, 1));
    expect(store.size).toBe(10);
    expect(store.get({ ...v, chunk: 1 })).toBeUndefined();
  });

  it("puts a segment together in the order of its chunks", () => {
    const store = new Store(100);
    store.put({ ...v, chunk: 1 }, chunk(1, 1));
    store.put({ ...v, chunk: 0 }, chunk(2, 7));
    expect(store.assemble(v)).toStrictEqual(Uint8Array.of(7, 7, 1));
    expect([store.sizeOf(v), store.mask(v)]).toStrictEqual([3, 0b11n]);
    expect(store.drop(v)).toStrictEqual([0, 1]);
    expect([store.size, store.sizeOf(v), store.mask(v)]).toStrictEqual([0, 0, 0n]);
    expect(store.drop(v)).toStrictEqual([]);
  });

  it("drops nothing at its bound", () => {
    const store = storeOf(30, 1, 2, 3);
    expect(store.evict(2, new Set())).toStrictEqual([]);
    expect(held(store)).toStrictEqual([1, 2, 3]);
  });

  it("drops what lies furthest behind first, then what lies furthest ahead", () => {
    const store = storeOf(40, 5, 1, 9, 3, 7, 8);
    store.evict(5, new Set());
    expect(held(store)).toStrictEqual([5, 9, 7, 8]);
    const smaller = storeOf(10, 5, 1, 9, 3, 7, 8);
    smaller.evict(5, new Set());
    expect(held(smaller)).toStrictEqual([5]);
  });

  it("leaves what is pinned, even over its bound", () => {
    const store = storeOf(10, 1, 2, 3);
    const pinned = new Set([1, 3].map((sequence) => segmentId({ rendition: "v", sequence })));
    const dropped = store.evict(3, pinned);
    expect(dropped).toStrictEqual([[{ rendition: "v", sequence: 2 }, [0]]]);
    expect(held(store)).toStrictEqual([1, 3]);
  });
});
