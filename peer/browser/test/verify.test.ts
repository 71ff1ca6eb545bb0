/** Signatures, as every implementation has to verify them; and browsers that cannot. */

import { afterEach, describe, expect, it, vi } from "vitest";

import { usableKeys, verifies } from "../src/verify";
import { decodeManifest } from "../src/wire/codec";
import {
  fromBase64,
  signedBytes,
  toBase64,
  type Key,
  type RenditionManifest,
} from "../src/wire/manifest";
import { bytesOfHex, manifestBytes } from "./wire/vectors";

afterEach(() => {
  vi.unstubAllGlobals();
});

const bytes = (text: string | undefined) => fromBase64(text ?? "?") ?? new Uint8Array();

describe("a signature", () => {
  it.each(manifestBytes.signatures)("of a page: $note", async ({ page, valid }) => {
    const decoded = decodeManifest(JSON.stringify(page)) as RenditionManifest;
    const key = bytes(decoded.keys[0]?.public);
    const signature = bytes(decoded.signatures[0]?.value);
    expect((await verifies(signedBytes(decoded), key, signature)) === true).toBe(valid);
  });

  it("is as RFC 8032 has it", async () => {
    const key = bytesOfHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const signature = bytesOfHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    expect(await verifies(new Uint8Array([0x72]), key, signature)).toBe(true);
    expect(await verifies(new Uint8Array([0x73]), key, signature)).toBe(false);
    expect(await verifies(new Uint8Array([0x72]), key, signature.slice(1))).toBe(false);
  });
});

const GOOD = manifestBytes.signatures[0]?.page.keys[0] as Key;

const BROKEN = [
  ["is missing", undefined],
  ["has no Ed25519", { subtle: { importKey: () => Promise.reject(new Error("no")) } }],
  ["throws", { subtle: { importKey: () => { throw new Error("no"); } } }],
  ["has nothing to say", { subtle: { importKey: () => undefined, verify: () => undefined } }],
] as const;

describe("a browser whose WebCrypto", () => {
  it.each(BROKEN)("%s can't tell, and uses no key", async (_, crypto) => {
    vi.stubGlobal("crypto", crypto);
    const nothing = new Uint8Array(64);
    expect(await verifies(nothing, nothing.slice(32), nothing)).toBeUndefined();
    expect(await usableKeys([GOOD])).toStrictEqual([]);
  });
});

describe("the keys that can be used", () => {
  it("are raw Ed25519 keys", async () => {
    const keys: Key[] = [
      { ...GOOD, id: "curve", algorithm: "ecdsa-p256" },
      { ...GOOD, id: "short", public: toBase64(new Uint8Array(31)) },
      { ...GOOD, id: "none", public: "?" },
      GOOD,
    ];
    expect(await usableKeys(keys)).toStrictEqual([GOOD]);
  });
});
