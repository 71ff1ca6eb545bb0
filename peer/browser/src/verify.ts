/**
 * The origin's signatures, by the browser's own WebCrypto.
 *
 * Ed25519 came to WebCrypto late (Safari 17, Firefox 129, Chromium 137); the origin signs by ECDSA on
 * P-256 as well, which all have. A browser that cannot verify does not know whether a signature is
 * right, and must not say that it is wrong: the sender would be cut off. It keeps the keys that it
 * has no use for from the core, which then listens to nobody but the origin.
 */

import { asked, digestOf } from "./digest";
import type { Bytes } from "./model";
import {
  fromBase64,
  signedBytes,
  type Algorithm,
  type Key,
  type PresentationManifest,
  type RenditionManifest,
} from "./wire/manifest";

const ALGORITHMS = {
  ed25519: { name: "Ed25519" },
  "ecdsa-p256": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const satisfies Record<Algorithm, object>;

/** Bytes of a point of P-256 that is not compressed. */
const POINT = 65;

/** Whether the signature is that of the data by a raw key; undefined if there is no telling. */
export async function verifies(
  algorithm: Algorithm,
  data: Bytes,
  key: Bytes,
  signature: Bytes,
): Promise<boolean | undefined> {
  const how = ALGORITHMS[algorithm];
  // Browsers are not of one mind about points of P-256 that are compressed.
  if (algorithm === "ecdsa-p256" && key.length !== POINT) return undefined;
  const answer: unknown = await asked(async () => {
    const usable = await crypto.subtle.importKey("raw", key, how, false, ["verify"]);
    return crypto.subtle.verify(how, usable, signature, data);
  });
  return typeof answer === "boolean" ? answer : undefined;
}

/** The keys by which this browser can verify; if keys are pinned, of these. */
export async function usableKeys(keys: readonly Key[], pins?: readonly string[]): Promise<Key[]> {
  const usable = await Promise.all(keys.map((key) => isUsable(key, pins)));
  return keys.filter((_, i) => usable[i]);
}

/** Whether one of the keys signed the manifest, and each that is said to have signed it did. */
export async function isSignedBy(
  keys: readonly Key[],
  manifest: PresentationManifest | RenditionManifest,
): Promise<boolean> {
  const data = signedBytes(manifest);
  const answers = manifest.signatures.map(async ({ key: id, algorithm, value }) => {
    const key = keys.find((one) => one.id === id);
    if (!key) return undefined;
    const raw = fromBase64(key.public);
    const signature = fromBase64(value);
    if (!raw || !signature || key.algorithm !== algorithm) return false;
    return (await verifies(algorithm, data, raw, signature)) === true;
  });
  const right = (await Promise.all(answers)).filter((answer) => answer !== undefined);
  return right.length > 0 && right.every(Boolean);
}

async function isUsable(
  { algorithm, public: text }: Key,
  pins: readonly string[] | undefined,
): Promise<boolean> {
  const nothing = new Uint8Array();
  const key = fromBase64(text);
  if (!key || (pins && !(await isPinned(key, pins)))) return false;
  return (await verifies(algorithm, nothing, key, nothing)) === false;
}

/** A key is pinned by the SHA-256 of the raw public key, in hexadecimal. */
async function isPinned(key: Bytes, pins: readonly string[]): Promise<boolean> {
  const digest = await digestOf(key);
  if (!digest) return false;
  return pins.includes(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""));
}
