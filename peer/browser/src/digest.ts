/** SHA-256 by the browser's own WebCrypto: the only thing that turns bytes into media here. */

import { HASH_SIZE, type Bytes } from "./model";

/** Whether this is the digest of the data. Whatever goes wrong on the way is a no. */
export async function matches(data: Bytes, digest: Bytes): Promise<boolean> {
  try {
    const actual = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    const whole = actual.length === HASH_SIZE && digest.length === HASH_SIZE;
    return whole && actual.every((byte, at) => byte === digest[at]);
  } catch {
    return false;
  }
}
