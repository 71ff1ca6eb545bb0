/** The canonical bytes of manifests: the same in every implementation. */

import { describe, expect, it } from "vitest";

import type { RenditionManifest, SegmentRecord } from "../../src/wire/manifest";
import {
  fromBase64,
  fromHex,
  rootInput,
  signedBytes,
  splitHashes,
  toBase64,
} from "../../src/wire/manifest";
import { decodeManifest } from "../../src/wire/codec";
import { bytesOfHex, hexOf, manifestBytes } from "./vectors";

describe("the root of a segment", () => {
  it.each(manifestBytes.roots)("$note", async (root) => {
    const { content, rendition, sequence, length } = root;
    const input = rootInput(content, rendition, sequence, length, root.hashes.map(bytesOfHex));
    expect(hexOf(input)).toBe(root.input);
    expect(hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", input)))).toBe(root.root);
    expect(fromHex(root.root)).toStrictEqual(bytesOfHex(root.root));
  });
});

describe("what a signature covers", () => {
  it.each(manifestBytes.signed)("$note", ({ page, bytes }) => {
    const decoded = decodeManifest(JSON.stringify(page)) as RenditionManifest;
    expect(hexOf(signedBytes(decoded))).toBe(bytes);
  });
});

describe("hash lists", () => {
  it.each(manifestBytes.hashes)("$note", ({ lengths, bytes, lists }) => {
    const records = lengths.map((length) => ({ length }) as SegmentRecord);
    const cut = splitHashes(new Uint8Array(bytes), records);
    expect(cut?.map((list) => list.length) ?? null).toStrictEqual(lists);
  });
});

describe("base64url", () => {
  it.each(manifestBytes.base64)("takes $note there and back", ({ bytes, text }) => {
    expect(toBase64(bytesOfHex(bytes))).toBe(text);
    expect(fromBase64(text)).toStrictEqual(bytesOfHex(bytes));
  });

  it.each(manifestBytes.not_base64)("refuses $note", ({ text }) => {
    expect(fromBase64(text)).toBeNull();
  });
});
