/**
 * The origin's signatures, by the browser's own WebCrypto.
 *
 * Ed25519 came to WebCrypto late (Safari 17, Firefox 129, Chromium 137). A browser without it does not
 * know whether a signature is right, and must not say that it is wrong: the sender would be cut off.
 * It keeps the origin's keys from the core instead, which then listens to nobody but the origin.
 */

import type { Bytes } from "./model";
import { fromBase64, type Key } from "./wire/manifest";

const ALGORITHM = "Ed25519";

/** Whether the signature is that of the data by a raw key; undefined if there is no telling. */
export async function verifies(
  data: Bytes,
  key: Bytes,
  signature: Bytes,
): Promise<boolean | undefined> {
  try {
    const usable = await crypto.subtle.importKey("raw", key, ALGORITHM, false, ["verify"]);
    return await crypto.subtle.verify(ALGORITHM, usable, signature, data);
  } catch {
    return undefined;
  }
}

/** The keys by which this browser can verify. */
export async function usableKeys(keys: readonly Key[]): Promise<Key[]> {
  const nothing = new Uint8Array();
  const usable = await Promise.all(
    keys.map(async ({ algorithm, public: text }) => {
      const key = fromBase64(text);
      return algorithm === "ed25519" && key && (await verifies(nothing, key, nothing)) === false;
    }),
  );
  return keys.filter((_, i) => usable[i]);
}
