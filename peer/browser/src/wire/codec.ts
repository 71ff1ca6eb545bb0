/** JSON text to messages and back, with every check that the types ask for. */

import { RemoteError } from "../errors";
import type { Check } from "./check";
import { CONTROL_BYTES } from "./link";
import { FromTracker, LinkMessage, Manifest, type Beacon, type ToTracker } from "./schema";

/** The JSON text of a message. */
export function encode(message: ToTracker | LinkMessage | Beacon): string {
  return JSON.stringify(message);
}

/** What the tracker told a peer; `RemoteError` if it is no such message. */
export function decodeFromTracker(text: unknown): FromTracker {
  return decode(FromTracker, text);
}

/** What came over a link's control channel; `RemoteError` if it is no such message. */
export function decodeLink(text: unknown): LinkMessage {
  if (typeof text === "string" && text.length > CONTROL_BYTES) {
    throw new RemoteError("too_large", `a control message of ${text.length} characters`);
  }
  return decode(LinkMessage, text);
}

/** What an origin answered; `RemoteError` if it is no manifest of a version we read. */
export function decodeManifest(text: unknown): Manifest {
  return decode(Manifest, text);
}

function decode<T>(check: Check<T>, text: unknown): T {
  return check(parse(text), "$");
}

function parse(text: unknown): unknown {
  try {
    if (typeof text === "string") return JSON.parse(text);
  } catch {
    // Said below: that it is not JSON is all there is to say.
  }
  throw new RemoteError("malformed", "not JSON");
}
