/** Why things failed, in words. */

import type { Failure } from "./figures";

const REASONS = new Map([
  ["link timeout", "Links: no way to each other was found in time"],
  ["link failed", "Links: no way to each other was found"],
  ["link closed", "Links: closed before they were open"],
  ["link left", "Links: one end left meanwhile"],
  ["link expired", "Links: nobody answered the introduction"],
  ["link integrity", "Links: wrong bytes were sent"],
  ["link protocol", "Links: what was said made no sense"],
]);

const KINDS = new Map([
  ["link", "Links"],
  ["report", "Reports refused"],
  ["socket", "Turned away"],
]);

/** What a failure is called: its own word where there is no better one. */
export function reasonOf({ kind, reason }: Pick<Failure, "kind" | "reason">): string {
  const known = REASONS.get(`${kind} ${reason}`);
  return known ?? `${KINDS.get(kind) ?? kind}: ${reason.replaceAll("_", " ")}`;
}
