/**
 * Errors say whose fault it is: `RemoteError` is the other side's, any other is a bug of ours.
 *
 * Codes and reasons go over the wire and into metrics by their names.
 */

import type { ErrorCode } from "./wire/schema";

export type { ErrorCode };

/** Why a source did not deliver. */
export type SourceReason =
  | "missing"
  | "busy"
  | "timeout"
  | "closed"
  | "status"
  | "length"
  | "integrity"
  | "unreachable"
  | "aborted";

/** The other side broke the protocol: tell it the code, then close. */
export class RemoteError extends Error {
  override name = "RemoteError";

  constructor(
    readonly code: ErrorCode,
    readonly detail = "",
  ) {
    super(`${code}: ${detail}`);
  }
}
