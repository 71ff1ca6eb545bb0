/** Only a clear yes is a yes. */

import { createHash } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { isSound, matches } from "../src/digest";

const data = new Uint8Array([1, 2, 3]);
const digest = new Uint8Array(createHash("sha256").update(data).digest());

beforeEach(() => {
  vi.stubGlobal("self", globalThis);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const ofNothing = new Uint8Array(createHash("sha256").digest()).buffer;
const never = () => new Promise(() => undefined);

const BROKEN = [
  ["is missing", undefined],
  ["throws", { subtle: { digest: () => { throw new Error("no"); } } }],
  ["fails", { subtle: { digest: () => Promise.reject(new Error("no")) } }],
  ["has nothing to say", { subtle: { digest: () => undefined } }],
  ["says yes", { subtle: { digest: () => true } }],
  ["is too short", { subtle: { digest: () => new ArrayBuffer(31) } }],
  ["never answers", { subtle: { digest: never } }],
] as const;

describe("matches", () => {
  it("tells the right digest from others", async () => {
    expect(await matches(data, digest)).toBe(true);
    expect(await matches(new Uint8Array([1, 2, 4]), digest)).toBe(false);
    expect(await matches(data, digest.slice(0, 31))).toBe(false);
    expect(await matches(data, new Uint8Array(0))).toBe(false);
    expect(await matches(data, new Uint8Array([...digest, 0]))).toBe(false);
    for (const at of digest.keys()) {
      const other = digest.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(await matches(data, other), `byte ${at}`).toBe(false);
    }
  });

  it.each(BROKEN)("can't tell if WebCrypto %s", async (_, crypto) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.stubGlobal("crypto", crypto);
    const answers = [matches(data, digest), matches(data, new Uint8Array(0))];
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await Promise.all(answers)).toStrictEqual([undefined, undefined]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a browser", () => {
  it("is sound if its digests are right", async () => {
    expect(await isSound()).toBe(true);
  });

  const WRONG = [
    ...BROKEN,
    ["always says the same", { subtle: { digest: () => new ArrayBuffer(32) } }],
    ["sees nothing in anything", { subtle: { digest: () => ofNothing } }],
  ] as const;
  it.each(WRONG)("is not if WebCrypto %s", async (_, crypto) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.stubGlobal("crypto", crypto);
    const answer = isSound();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await answer).toBe(false);
  });
});
