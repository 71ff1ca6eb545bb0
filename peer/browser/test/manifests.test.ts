/** Manifests and hash lists: what is too long, too late or no manifest is nothing. */

import { createHash } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Endpoint } from "../src/endpoint";
import { fetchHashes, fetchPage } from "../src/manifests";
import { fromBase64 } from "../src/wire/manifest";
import { manifestBytes } from "./wire/vectors";

const endpoint = Endpoint.of("https://cdn.example/p2pcdn.js");
const PAGE = {
  type: "rendition",
  version: 1,
  site: "pk_demo",
  content: "00112233445566778899aabbccddeeff",
  rendition: "x.m3u8",
  chunk_size: 65_536,
  live: false,
  time: 1,
  first: 0,
  last: 0,
  segments: [],
};
const PRESENTATION = { ...PAGE, type: "presentation", renditions: [] };
const fetched = vi.fn<typeof fetch>();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("fetch", fetched);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetAllMocks();
});

describe("a page", () => {
  it("is asked for by the sequence that it is to hold", async () => {
    fetched.mockResolvedValueOnce(Response.json(PAGE));
    expect(await fetchPage(endpoint.manifest("x.m3u8", 7))).toMatchObject({ rendition: "x.m3u8" });
    const asked = fetched.mock.lastCall?.[0] as URL;
    expect(asked.href).toBe("https://cdn.example/manifest/x.m3u8?at=7");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has the keys that can be used here, and no others", async () => {
    const key = { id: "x", algorithm: "ed25519", public: "A".repeat(43) };
    const keys = [{ ...key, algorithm: "ecdsa-p256" }, key, { ...key, public: "AAAA" }];
    fetched.mockResolvedValueOnce(Response.json({ ...PAGE, keys }));
    expect(await fetchPage(endpoint.manifest("x.m3u8", 7))).toMatchObject({ keys: [key] });
  });

  it("is nothing if none of the pinned keys signed it, which is said once", async () => {
    const info = vi.spyOn(console, "info").mockReturnValue();
    const found = manifestBytes.signatures.find(({ valid }) => valid);
    const public_ = found?.page.keys[0]?.public ?? "";
    const pin = createHash("sha256").update(fromBase64(public_) ?? "").digest("hex");
    const fetchWith = (pins: string[]) => {
      fetched.mockResolvedValueOnce(Response.json(found?.page));
      return fetchPage(endpoint.manifest("x.m3u8", 7), pins);
    };
    expect(await fetchWith(["0".repeat(64), pin])).toMatchObject({ keys: [{ public: public_ }] });
    expect(info).not.toHaveBeenCalled();
    for (const pins of [[], [""], [pin.slice(0, 16)], ["0".repeat(64)]]) {
      expect(await fetchWith(pins)).toBeUndefined();
    }
    expect(info).toHaveBeenCalledOnce();
  });

  it("is nothing if it is not what a pinned key signed", async () => {
    vi.spyOn(console, "info").mockReturnValue();
    const { page } = manifestBytes.signatures.find(({ valid }) => valid) ?? {};
    const pin = createHash("sha256")
      .update(fromBase64(page?.keys[0]?.public ?? "") ?? "")
      .digest("hex");
    for (const change of [{ site: "another" }, { signatures: [] }]) {
      fetched.mockResolvedValueOnce(Response.json({ ...page, ...change }));
      expect(await fetchPage(endpoint.manifest("x.m3u8", 7), [pin])).toBeUndefined();
    }
  });

  it.each([
    ["an error", () => Response.json(PAGE, { status: 404 })],
    ["no JSON", () => new Response("no")],
    ["no manifest", () => Response.json({ type: "rendition" })],
    ["a presentation's manifest", () => Response.json(PRESENTATION)],
    ["too long", () => Response.json({ ...PAGE, more: "x".repeat(300_000) })],
  ])("is nothing if the answer is %s", async (_, answer) => {
    fetched.mockResolvedValueOnce(answer());
    expect(await fetchPage(endpoint.manifest("x.m3u8", 7))).toBeUndefined();
  });

  it("is nothing if the origin can't be reached", async () => {
    fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    expect(await fetchPage(endpoint.manifest("x.m3u8", 7))).toBeUndefined();
  });

  it("is nothing after eight seconds", async () => {
    fetched.mockImplementationOnce(
      (_, init) =>
        new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => {
            reject(new Error("aborted"));
          });
        }),
    );
    const page = fetchPage(endpoint.manifest("x.m3u8", 7));
    vi.advanceTimersByTime(8_000);
    expect(await page).toBeUndefined();
  });
});

describe("hashes", () => {
  it("are bytes, as they are", async () => {
    fetched.mockResolvedValueOnce(new Response(new Uint8Array([1, 2, 3])));
    const hashes = await fetchHashes(endpoint.hashes("x.m3u8", 3, 9));
    expect(hashes).toStrictEqual(new Uint8Array([1, 2, 3]));
    const asked = fetched.mock.lastCall?.[0] as URL;
    expect(asked.href).toBe("https://cdn.example/manifest/x.m3u8?hashes=3-9");
  });

  it("are nothing beyond their bound", async () => {
    fetched.mockResolvedValueOnce(new Response(new Uint8Array(2_097_153)));
    expect(await fetchHashes(endpoint.hashes("x.m3u8", 3, 9))).toBeUndefined();
  });
});
