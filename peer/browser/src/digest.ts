/**
 * SHA-256 by the browser's own WebCrypto: the only thing that turns bytes into media here.
 *
 * It has to work. Where it throws, hangs or talks nonsense there is no telling right from wrong, and
 * nothing that a peer brings may be used; nor is it the peer's fault.
 */

import { HASH_SIZE, type Bytes } from "./model";
import { fromHex } from "./wire/manifest";

/**
 * Milliseconds: WebCrypto takes less than one for a chunk. Three times this, for a chunk that is
 * checked again, is less than the core's own patience.
 */
const PATIENCE = 1_500;

/** The SHA-256 of nothing. */
const OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** What WebCrypto answers; undefined if it throws or does not answer. */
export async function asked<T>(question: () => T | Promise<T>): Promise<T | undefined> {
  let timer = 0;
  const patience = new Promise<undefined>((resolve) => {
    timer = self.setTimeout(resolve, PATIENCE);
  });
  try {
    return await Promise.race([question(), patience]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** The digest of the data; undefined if there is no telling. */
export async function digestOf(data: Bytes): Promise<Bytes | undefined> {
  const answer: unknown = await asked(() => crypto.subtle.digest("SHA-256", data));
  const digest = answer instanceof ArrayBuffer ? new Uint8Array(answer) : undefined;
  return digest?.length === HASH_SIZE ? digest : undefined;
}

/** Whether this is the digest of the data; undefined if there is no telling. */
export async function matches(data: Bytes, digest: Bytes): Promise<boolean | undefined> {
  const actual = await digestOf(data);
  return actual && digest.length === HASH_SIZE && actual.every((byte, at) => byte === digest[at]);
}

/** Whether digests are to be relied on in this browser. */
export async function isSound(): Promise<boolean> {
  const digest = fromHex(OF_NOTHING);
  const [right, wrong] = await Promise.all([
    matches(new Uint8Array(), digest),
    matches(new Uint8Array(1), digest),
  ]);
  return right === true && wrong === false;
}
