/** Frames: to bytes and back, and nothing else for a frame. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { RemoteError } from "../../src/errors";
import { CHUNK_SIZE } from "../../src/model";
import { FRAME_BYTES, decodeFrame, encodeFrame, framesOf } from "../../src/wire/chunk";
import { bytesOfHex, frames } from "./vectors";

describe("frames", () => {
  it.each(frames.valid)("$note", ({ want, offset, payload, data }) => {
    const frame = { want, offset, payload: bytesOfHex(payload) };
    expect(encodeFrame(frame)).toStrictEqual(bytesOfHex(data));
    const decoded = decodeFrame(bytesOfHex(data).buffer);
    expect({ ...decoded, payload: Uint8Array.from(decoded.payload) }).toStrictEqual(frame);
  });

  it.each(frames.invalid)("refuses: $note", ({ data, code }) => {
    expect(() => decodeFrame(bytesOfHex(data).buffer)).toThrow(code);
  });

  it.each(frames.chunks)("cuts a chunk: $note", ({ length, frames: expected }) => {
    const cut = [...framesOf(9, new Uint8Array(length))];
    expect(cut.map(({ offset, payload }) => [offset, payload.length])).toStrictEqual(expected);
  });

  it("takes any bytes for a frame or refuses them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: FRAME_BYTES + 2 }), (bytes) => {
        const data = Uint8Array.from(bytes);
        try {
          const frame = decodeFrame(data.buffer);
          expect(encodeFrame(frame)).toStrictEqual(data);
          expect(frame.offset + frame.payload.length).toBeLessThanOrEqual(CHUNK_SIZE);
        } catch (error) {
          if (!(error instanceof RemoteError)) throw error;
        }
      }),
    );
  });
});
