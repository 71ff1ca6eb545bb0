/** Manifests and hash lists from the end point: small, bounded, and never waited for too long. */

import { joined, type Bytes } from "./model";
import { sayOnce } from "./say";
import { isSignedBy, usableKeys } from "./verify";
import { decodeManifest } from "./wire/codec";
import type { RenditionManifest } from "./wire/manifest";

/** A page of 64 records takes about 11 KB. */
const LONGEST_PAGE = 262_144;
/** The hashes of 64 segments of 64 MiB each. */
const LONGEST_LIST = 2_097_152;
/** Milliseconds. */
const TIMEOUT = 8_000;

/**
 * A page of a rendition's manifest, with those of its keys that this browser can verify by; nothing
 * if there is none, whatever the reason. If keys are pinned, the others are left out, and a page that
 * none of them signed is none.
 */
export async function fetchPage(
  url: URL,
  pins?: readonly string[],
): Promise<RenditionManifest | undefined> {
  const data = await fetchBytes(url, LONGEST_PAGE);
  if (!data) return undefined;
  try {
    const manifest = decodeManifest(new TextDecoder().decode(data));
    if (manifest.type !== "rendition") return undefined;
    const keys = await usableKeys(manifest.keys, pins);
    if (pins && !(await isSignedBy(keys, manifest))) {
      sayOnce("plain HTTP, no peers: the manifest is not signed by a key of data-key.");
      return undefined;
    }
    return { ...manifest, keys };
  } catch {
    return undefined;
  }
}

/** The chunk hashes of some segments, one after the other. */
export function fetchHashes(url: URL): Promise<Bytes | undefined> {
  return fetchBytes(url, LONGEST_LIST);
}

async function fetchBytes(url: URL, limit: number): Promise<Bytes | undefined> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort();
  }, TIMEOUT);
  try {
    const response = await fetch(url, { signal: controller.signal });
    return response.ok ? await readAtMost(response, limit) : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

async function readAtMost(response: Response, limit: number): Promise<Bytes | undefined> {
  const reader = response.body?.getReader();
  const parts: Bytes[] = [];
  let length = 0;
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) return joined(parts);
    length += part.value.length;
    if (length > limit) return undefined;
    parts.push(part.value);
  }
}
