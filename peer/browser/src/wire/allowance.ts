/**
 * How much one end of a link may say on the control channel.
 *
 * A message costs its sender next to nothing, and whoever hears it the time to read it. What an honest
 * end says is little: announcements ten times a second, a want and perhaps a cancel for each chunk,
 * and what has just come out of a live stream.
 */

import { RemoteError } from "../errors";

/** Bytes on average: enough to ask for a gigabit a second of chunks. */
export const MOST_A_SECOND = 262_144;
/** Bytes that may come in a burst: all that is held of a long recording, and records that waited. */
export const MOST_AT_ONCE = 2_097_152;
/** Bytes that a message counts for beside its own. */
const EACH = 64;

/** What is left of it. */
export class Allowance {
  private _left = MOST_AT_ONCE;

  constructor(private _at: number) {}

  /** A message of so many bytes has come; `RemoteError` if that is too much. */
  take(size: number, now: number): void {
    const left = Math.min(this._left + (now - this._at) * MOST_A_SECOND, MOST_AT_ONCE);
    this._left = left - size - EACH;
    this._at = now;
    if (this._left < 0) throw new RemoteError("too_fast", `${MOST_A_SECOND} bytes/s`);
  }
}
