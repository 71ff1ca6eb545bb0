/** Reads tests/vectors/wire, the cases that every implementation of the wire has to pass. */

import frames from "../../../../tests/vectors/wire/frames.json";
import fromTracker from "../../../../tests/vectors/wire/from-tracker.json";
import link from "../../../../tests/vectors/wire/link.json";
import manifestBytes from "../../../../tests/vectors/wire/manifest-bytes.json";
import manifest from "../../../../tests/vectors/wire/manifest.json";
import model from "../../../../tests/vectors/wire/model.json";

export interface Case {
  readonly note: string;
  readonly text?: string;
  readonly json?: unknown;
  readonly value?: unknown;
}

export interface Invalid extends Case {
  readonly code: string;
}

interface Messages {
  readonly valid: readonly Case[];
  readonly invalid: readonly Invalid[];
}

const files: unknown = { fromTracker, link, manifest };
export const messages = files as Record<"fromTracker" | "link" | "manifest", Messages>;
export { frames, manifestBytes, model };

/** Write `«ab*3»` out as `ababab`. */
export function expand(text: string): string {
  return text.replace(/«(.+?)\*([0-9]+)»/gs, (_, part: string, times: string) =>
    part.repeat(Number(times)),
  );
}

/** What comes over the wire in this case. */
export function textOf({ text, json }: Case): string {
  return expand(text ?? JSON.stringify(json));
}

/** What has to come out of the decoder. */
export function valueOf({ value, json }: Case): unknown {
  const expected = value ?? json;
  return JSON.parse(expand(typeof expected === "string" ? expected : JSON.stringify(expected)));
}

export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  const digits = expand(hex);
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
