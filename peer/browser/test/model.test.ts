/** The arithmetic of segments, chunks and spans. */

import { describe, expect, it } from "vitest";

import { bytesOf, chunkCount, chunkId, chunkLength, numbersOf, segmentId, spansOf } from "../src/model";
import { model } from "./wire/vectors";

describe("spans", () => {
  it.each(model.spans)("$note", ({ numbers, spans }) => {
    expect(spansOf(numbers)).toStrictEqual(spans);
    expect([...numbersOf(spansOf(numbers))]).toStrictEqual(
      [...new Set(numbers)].sort((a, b) => a - b),
    );
  });
});

describe("chunks of a segment", () => {
  it.each(model.chunks)("$note", ({ length, count, last }) => {
    expect(chunkCount(length)).toBe(count);
    expect(chunkLength(length, count - 1)).toBe(last);
    expect(() => chunkLength(length, count)).toThrow(RangeError);
    expect(() => chunkLength(length, -1)).toThrow(RangeError);
  });

  it.each(model.ranges)("range: $note", ({ length, chunks, bytes }) => {
    expect(bytesOf(length, chunks as [number, number])).toStrictEqual(bytes);
  });
});

describe("keys", () => {
  it("tell segments apart, and chunks", () => {
    const a = { rendition: "a", sequence: 1 };
    const segments = [a, { ...a, sequence: 11 }, { ...a, rendition: "1 a" }];
    const chunks = segments.flatMap((key) => [{ ...key, chunk: 1 }, { ...key, chunk: 11 }]);
    expect(new Set(segments.map(segmentId)).size).toBe(3);
    expect(new Set(chunks.map(chunkId)).size).toBe(6);
  });
});
