/** Signatures, as every implementation has to verify them; and browsers that cannot. */

import { createHash, webcrypto } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Bytes } from "../src/model";
import { isSignedBy, usableKeys, verifies } from "../src/verify";
import { decodeManifest } from "../src/wire/codec";
import {
  fromBase64,
  signedBytes,
  toBase64,
  type Key,
  type RenditionManifest,
} from "../src/wire/manifest";
import { bytesOfHex, manifestBytes } from "./wire/vectors";

beforeEach(() => {
  vi.stubGlobal("self", globalThis);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const bytes = (text: string | undefined) => fromBase64(text ?? "?") ?? new Uint8Array();

/** What a key is pinned by. */
const pinOf = (key: Key) => createHash("sha256").update(bytes(key.public)).digest("hex");

const { signatures: CASES } = manifestBytes;
const decode = (page: unknown) => decodeManifest(JSON.stringify(page)) as RenditionManifest;
const decoded = CASES.map(({ page }) => decode(page));
const genuine = decode(CASES.find(({ valid }) => valid)?.page);
const keyOf = (algorithm: string) =>
  CASES.find(({ valid, page }) => valid && page.keys[0]?.algorithm === algorithm)?.page
    .keys[0] as Key;
const ED25519 = keyOf("ed25519");
const P256 = keyOf("ecdsa-p256");

describe("a signature", () => {
  it.each(CASES.map((given, i) => ({ ...given, manifest: decoded[i] })))(
    "of a manifest: $note",
    async ({ manifest, valid }) => {
      const [key] = manifest?.keys ?? [];
      const [signature] = manifest?.signatures ?? [];
      if (!manifest || !key || !signature) throw new Error("the case has no signature");
      const { algorithm, value } = signature;
      const answer = await verifies(
        algorithm,
        signedBytes(manifest),
        bytes(key.public),
        bytes(value),
      );
      expect(answer === true && algorithm === key.algorithm).toBe(valid);
      expect(await isSignedBy(await usableKeys([key], [pinOf(key)]), manifest)).toBe(valid);
    },
  );

  it("is as RFC 8032 has it", async () => {
    const key = bytesOfHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const signature = bytesOfHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    const of = (data: number, value: Bytes) =>
      verifies("ed25519", new Uint8Array([data]), key, value);
    expect(await of(0x72, signature)).toBe(true);
    expect(await of(0x73, signature)).toBe(false);
    expect(await of(0x72, signature.slice(1))).toBe(false);
  });

  it("is as RFC 6979 has it", async () => {
    const key = bytesOfHex(
      "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" +
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    );
    const signature = bytesOfHex(
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    const of = (data: string) =>
      verifies("ecdsa-p256", new TextEncoder().encode(data), key, signature);
    expect([await of("sample"), await of("Sample")]).toStrictEqual([true, false]);
  });
});

describe("a manifest", () => {
  const [signature] = genuine.signatures;
  if (!signature) throw new Error("the case has no signature");
  const signedBy = (...signatures: RenditionManifest["signatures"]) =>
    isSignedBy(genuine.keys, { ...genuine, signatures });

  it("may be signed by a key that is not ours, beside one that is", async () => {
    const another = { ...signature, key: "another" };
    expect(await signedBy(another)).toBe(false);
    expect(await signedBy(another, signature)).toBe(true);
  });

  it("is refused if one of our keys is said to have signed what it has not", async () => {
    const wrong = { ...signature, value: toBase64(new Uint8Array(64)) };
    expect(await signedBy(signature, signature)).toBe(true);
    expect(await signedBy(signature, wrong)).toBe(false);
    expect(await signedBy(wrong, signature)).toBe(false);
    expect(await signedBy(signature, { ...signature, value: "?" })).toBe(false);
  });
});

const never = () => new Promise(() => undefined);
const broken = [
  ["is missing", undefined],
  ["knows no such thing", { subtle: { importKey: () => Promise.reject(new Error("no")) } }],
  ["throws", { subtle: { importKey: () => { throw new Error("no"); } } }],
  ["has nothing to say", { subtle: { importKey: () => undefined, verify: () => undefined } }],
  ["says something else", { subtle: { importKey: () => undefined, verify: () => "yes" } }],
  ["never answers", { subtle: { importKey: never } }],
] as const;

describe("a browser whose WebCrypto", () => {
  it.each(broken)("%s can't tell, and uses no key", async (_, crypto) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.stubGlobal("crypto", crypto);
    const nothing = new Uint8Array(64);
    const answer = verifies("ed25519", nothing, nothing.slice(32), nothing);
    const signed = isSignedBy(genuine.keys, genuine);
    const keys = usableKeys([ED25519, P256]);
    const pinned = usableKeys([ED25519, P256], [pinOf(ED25519), pinOf(P256)]);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await answer).toBeUndefined();
    expect(await signed).toBe(false);
    expect([await keys, await pinned]).toStrictEqual([[], []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has no Ed25519 uses the other key", async () => {
    const { subtle } = webcrypto;
    const importKey = (format: "raw", key: Bytes, how: { name: string }) =>
      how.name === "Ed25519"
        ? Promise.reject(new Error("no"))
        : subtle.importKey(format, key, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    vi.stubGlobal("crypto", { subtle: { importKey, verify: subtle.verify.bind(subtle) } });
    expect(await usableKeys([ED25519, P256])).toStrictEqual([P256]);
  });
});

describe("the keys that can be used", () => {
  it("are raw keys of the kind that they say", async () => {
    const keys: Key[] = [
      { ...ED25519, id: "curve", algorithm: "ecdsa-p256" },
      { ...P256, id: "no curve", algorithm: "ed25519" },
      { ...ED25519, id: "short", public: toBase64(new Uint8Array(31)) },
      { ...P256, id: "compressed", public: toBase64(bytes(P256.public).slice(0, 33)) },
      { ...ED25519, id: "none", public: "?" },
      ED25519,
      P256,
    ];
    expect(await usableKeys(keys)).toStrictEqual([ED25519, P256]);
  });

  it("are those that are pinned", async () => {
    const keys = [ED25519, P256];
    expect(await usableKeys(keys, [pinOf(P256)])).toStrictEqual([P256]);
    expect(await usableKeys(keys, [pinOf(P256), pinOf(ED25519)])).toStrictEqual(keys);
    for (const pins of [[], [""], ["0".repeat(64)], [pinOf(P256).slice(0, 16)]]) {
      expect(await usableKeys(keys, pins)).toStrictEqual([]);
    }
  });
});
