/** Join tokens: asked for, taken, and proved with a key that nobody can carry away. */

import { createHash, createPublicKey, verify } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type * as Tokens from "../src/tokens";

const NONCE = "0123456789abcdef".repeat(2);
const REQUEST = { site: "pk_demo", content: "c".repeat(32), url: "/media/show/master.m3u8" };
const TOKEN = "aaaa.bbbb.cccc";

let tokens: typeof Tokens;
const said = vi.fn<(text: string) => void>();

beforeEach(async () => {
  vi.resetModules();
  said.mockReset();
  vi.spyOn(console, "info").mockImplementation(said);
  vi.stubGlobal("location", { href: "https://www.example.com/watch/7" });
  tokens = await import("../src/tokens");
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

describe("the key", () => {
  it("is the same for as long as the page lasts, and another on the next", async () => {
    const first = await tokens.thumbprint();
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(await tokens.thumbprint()).toBe(first);
    vi.resetModules();
    const again = await import("../src/tokens");
    expect(await again.thumbprint()).not.toBe(first);
  });

  it("cannot be carried away", async () => {
    const generate = vi.spyOn(crypto.subtle, "generateKey");
    await tokens.thumbprint();
    const { privateKey } = (await generate.mock.results[0]?.value) as unknown as CryptoKeyPair;
    expect(privateKey.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("jwk", privateKey)).rejects.toThrow();
  });
});

describe("a proof", () => {
  it("is by the page's key, of the nonce, the site, the content and the token", async () => {
    const credentials = await tokens.prove(TOKEN, REQUEST, NONCE);
    expect(credentials).toMatchObject({ token: TOKEN, url: REQUEST.url });
    const { key, signature } = credentials?.proof ?? { key: { x: "", y: "" }, signature: "" };
    const jwk = `{"crv":"P-256","kty":"EC","x":"${key.x}","y":"${key.y}"}`;
    expect(sha256(jwk)).toBe(await tokens.thumbprint());
    const publicKey = createPublicKey({ key: { kty: "EC", crv: "P-256", ...key }, format: "jwk" });
    const lines = ["p2pcdn join v1", NONCE, "pk_demo", "c".repeat(32), sha256(TOKEN), ""];
    const isOf = (text: string): boolean =>
      verify(
        "sha256",
        Buffer.from(text),
        { key: publicKey, dsaEncoding: "ieee-p1363" },
        Buffer.from(signature, "base64url"),
      );
    expect(signature).toHaveLength(86);
    expect(isOf(lines.join("\n"))).toBe(true);
    expect(isOf(lines.join("\n").replace(NONCE, "f".repeat(32)))).toBe(false);
  });

  it("leaves the path out where it is not known", async () => {
    const { site, content } = REQUEST;
    const credentials = await tokens.prove(TOKEN, { site, content, url: undefined }, NONCE);
    expect(credentials?.url).toBeNull();
  });
});

describe("a function", () => {
  it("is told what the token is for, each time", async () => {
    const source = vi.fn(() => Promise.resolve(` ${TOKEN}\n`));
    expect((await tokens.prove(source, REQUEST, NONCE))?.token).toBe(TOKEN);
    await tokens.prove(source, REQUEST, NONCE);
    expect(source).toHaveBeenCalledTimes(2);
    expect(source).toHaveBeenCalledWith({ ...REQUEST, thumbprint: await tokens.thumbprint() });
  });

  it.each([
    ["throws", () => Promise.reject(new Error("no session"))],
    ["answers something else", () => "<!doctype html>"],
    ["answers nothing", () => ""],
    ["answers too much", () => "x".repeat(1_025)],
  ])("that %s is as good as none, and said once", async (_, source) => {
    expect(await tokens.prove(source, REQUEST, NONCE)).toBeUndefined();
    expect(await tokens.prove(source, REQUEST, NONCE)).toBeUndefined();
    expect(said).toHaveBeenCalledOnce();
    expect(said.mock.calls[0]?.[0]).toContain("there is no join token");
  });

  it("may be missing", async () => {
    expect(await tokens.prove(undefined, REQUEST, NONCE)).toBeUndefined();
    expect(said).not.toHaveBeenCalled();
  });
});

describe("a back end", () => {
  it("is asked by POST, and its answer is the token", async () => {
    const fetched = vi.fn<(url: URL, options: { method: string; body: string }) => void>();
    vi.stubGlobal("fetch", (url: URL, options: { method: string; body: string }) => {
      fetched(url, options);
      return Promise.resolve(new Response(`${TOKEN}\n`));
    });
    const source = tokens.tokensFrom("/p2p-token");
    expect((await tokens.prove(source, REQUEST, NONCE))?.token).toBe(TOKEN);
    const [url, options] = fetched.mock.calls[0] ?? [];
    expect(url?.href).toBe("https://www.example.com/p2p-token");
    expect(options?.method).toBe("POST");
    expect(JSON.parse(options?.body ?? "")).toStrictEqual({
      ...REQUEST,
      thumbprint: await tokens.thumbprint(),
    });
  });

  it("that does not answer is not waited for, in a browser without AbortSignal.timeout, too", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.spyOn(AbortSignal, "timeout").mockImplementation(() => {
      throw new TypeError("AbortSignal.timeout is not a function");
    });
    const asked = new Promise<AbortSignal>((resolve) => {
      vi.stubGlobal("fetch", (_: URL, { signal }: { signal: AbortSignal }) => {
        resolve(signal);
        return new Promise((__, reject) => {
          signal.onabort = () => {
            reject(signal.reason as Error);
          };
        });
      });
    });
    const credentials = tokens.prove(tokens.tokensFrom("/t"), REQUEST, NONCE);
    const signal = await asked;
    vi.advanceTimersByTime(3_999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await credentials).toBeUndefined();
    expect(said.mock.calls[0]?.[0]).toContain("/t has not answered in 4 s");
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("that refuses gives none", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("no", { status: 403 })));
    expect(await tokens.prove(tokens.tokensFrom("/t"), REQUEST, NONCE)).toBeUndefined();
    expect(said.mock.calls[0]?.[0]).toContain("/t answers 403");
  });
});
