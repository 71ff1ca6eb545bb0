/**
 * Frames: how a chunk travels on the data channel.
 *
 *      0               4               8
 *      +---------------+---------------+---------------------+
 *      | want          | offset        | payload, 1 to 16 KiB|
 *      +---------------+---------------+---------------------+
 *
 * Both numbers are unsigned, big-endian. `want` is the number of the request that the frame
 * answers, `offset` where its payload stands in the chunk. The channel is reliable but unordered,
 * so frames arrive in any order, each once.
 */

import { RemoteError } from "../errors";
import { CHUNK_SIZE, FRAME_PAYLOAD, type Bytes } from "../model";

export const HEADER_BYTES = 8;
export const FRAME_BYTES = HEADER_BYTES + FRAME_PAYLOAD;

/** One binary message of the data channel. */
export interface Frame {
  readonly want: number;
  readonly offset: number;
  readonly payload: Bytes;
}

/** The message that carries this frame. */
export function encodeFrame({ want, offset, payload }: Frame): Bytes {
  const data = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, want);
  view.setUint32(4, offset);
  data.set(payload, HEADER_BYTES);
  return data;
}

/** Read a message; `RemoteError` if no frame of any chunk looks like it. */
export function decodeFrame(data: ArrayBuffer): Frame {
  const size = data.byteLength;
  if (size > FRAME_BYTES) throw new RemoteError("too_large", `a frame of ${size} bytes`);
  if (size <= HEADER_BYTES) {
    throw new RemoteError("bad_frame", `a frame of ${size} bytes has no payload`);
  }
  const view = new DataView(data);
  const offset = view.getUint32(4);
  const end = offset + size - HEADER_BYTES;
  if (end > CHUNK_SIZE) throw new RemoteError("bad_frame", `a frame that ends at ${end}`);
  return { want: view.getUint32(0), offset, payload: new Uint8Array(data, HEADER_BYTES) };
}

/** Cut a chunk into the frames that answer `want`. */
export function* framesOf(want: number, chunk: Bytes): Generator<Frame> {
  for (let offset = 0; offset < chunk.length; offset += FRAME_PAYLOAD) {
    yield { want, offset, payload: chunk.subarray(offset, offset + FRAME_PAYLOAD) };
  }
}
