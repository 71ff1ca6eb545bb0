/** Only a clear yes is a yes. */

import { createHash } from "node:crypto";

import { afterEach, describe, expect, it, vi } from "vitest";

import { matches } from "../src/digest";

const data = new Uint8Array([1, 2, 3]);
const digest = new Uint8Array(createHash("sha256").update(data).digest());

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("matches", () => {
  it("tells the right digest from others", async () => {
    expect(await matches(data, digest)).toBe(true);
    expect(await matches(new Uint8Array([1, 2, 4]), digest)).toBe(false);
    expect(await matches(data, digest.slice(0, 31))).toBe(false);
    expect(await matches(data, new Uint8Array(0))).toBe(false);
  });

  it.each([
    ["is missing", undefined],
    ["throws", { subtle: { digest: () => { throw new Error("no"); } } }],
    ["fails", { subtle: { digest: () => Promise.reject(new Error("no")) } }],
    ["has nothing to say", { subtle: { digest: () => undefined } }],
  ])("is a no if WebCrypto %s", async (_, crypto) => {
    vi.stubGlobal("crypto", crypto);
    expect(await matches(data, digest)).toBe(false);
    expect(await matches(data, new Uint8Array(0))).toBe(false);
  });
});
