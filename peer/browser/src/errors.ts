/**
 * Errors say whose fault it is.
 *
 * `LocalError` is our own bug or misuse, `RemoteError` the other side's. They hold plain values
 * and never messages. Codes and reasons go over the wire and into metrics by their names.
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

/** We did something that makes no sense: a bug on this side. */
export class LocalError extends Error {
  override name = "LocalError";
}

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
