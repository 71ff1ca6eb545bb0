/** The one global, made by the script tag. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Hls } from "../src/players/hls-types";
import type { Stats } from "../src/stats";

interface Global {
  version: string;
  getStats(): Stats;
  configure(switches: { p2p?: boolean; upload?: boolean }): void;
  attach(hls: unknown): EventTarget;
  local: Record<"detect" | "pair" | "forget", (code?: string) => Promise<boolean>>;
  q: { push(entry: unknown): void };
}

class ScriptElement {
  readonly src = "https://cdn.example/p2pcdn.js";
  readonly dataset: Record<string, string> = { site: "pk_x" };
}

class FakeHls {
  readonly config: Record<string, unknown> = { loader: Object };
  readonly on = vi.fn();
  readonly off = vi.fn();

  trigger(): boolean {
    return true;
  }
}

/** Runs the script, as a page does that includes it. */
async function include(): Promise<Global> {
  vi.resetModules();
  await import("../src/global");
  return (globalThis as unknown as { p2pcdn: Global }).p2pcdn;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("addEventListener", vi.fn());
  vi.stubGlobal("HTMLScriptElement", ScriptElement);
  vi.stubGlobal("location", { href: "https://page.example/" });
  const page = Object.assign(new EventTarget(), { currentScript: new ScriptElement() });
  vi.stubGlobal("document", page);
  vi.stubGlobal("p2pcdn", undefined);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the global", () => {
  it("has what the contract names, and figures from the start", async () => {
    const p2pcdn = await include();
    expect(Object.keys(p2pcdn)).toEqual(
      expect.arrayContaining(["version", "getStats", "configure", "consent", "attach", "local"]),
    );
    expect(p2pcdn.getStats()).toStrictEqual({
      originBytes: 0,
      peerBytes: 0,
      cacheBytes: 0,
      httpBytes: 0,
      uploadedBytes: 0,
      wasteBytes: 0,
      links: 0,
      linkAttempts: 0,
      rejectedChunks: 0,
      originMismatches: 0,
      sessions: 0,
      startupMs: null,
      timings: { announce: null, answer: null, ice: null, open: null, firstChunk: null },
    });
  });

  it("is made once, however often the script is included", async () => {
    const first = await include();
    expect(await include()).toBe(first);
  });

  it("finds players, and lets go of them for good", async () => {
    vi.stubGlobal("Hls", FakeHls);
    const p2pcdn = await include();
    const hls = new FakeHls();
    hls.trigger();
    hls.trigger();
    expect(p2pcdn.getStats().sessions).toBe(1);
    expect(hls.config["fLoader"]).toBeDefined();
    const session = p2pcdn.attach(hls) as unknown as { destroy(): void };
    session.destroy();
    hls.trigger();
    expect(p2pcdn.getStats().sessions).toBe(0);
    expect(hls.config["fLoader"]).toBeUndefined();
  });

  it("leaves alone what only looks like a player", async () => {
    vi.stubGlobal("Hls", FakeHls);
    const p2pcdn = await include();
    const odd = Object.create(FakeHls.prototype) as FakeHls;
    expect(odd.trigger()).toBe(true);
    expect(p2pcdn.getStats().sessions).toBe(0);
  });

  it("gives the page its player back when joining it fails", async () => {
    const p2pcdn = await include();
    const hls = new FakeHls();
    hls.on.mockImplementation(() => {
      throw new Error("no");
    });
    expect(() => p2pcdn.attach(hls)).not.toThrow();
    expect(p2pcdn.getStats().sessions).toBe(0);
  });
});

describe("the queue of tag managers", () => {
  it("is worked off in its order", async () => {
    const hls = new FakeHls();
    const early = [{ site: "pk_y" }, ["attach", hls as unknown as Hls], ["nothing", 1]];
    vi.stubGlobal("p2pcdn", { q: early });
    const p2pcdn = await include();
    expect(p2pcdn.getStats().sessions).toBe(1);
    p2pcdn.q.push(["attach", new FakeHls()]);
    expect(p2pcdn.getStats().sessions).toBe(2);
  });

  it("finds no native peer where the code for it cannot be had", async () => {
    const { local } = await include();
    for (const found of [local.detect(), local.pair("TGRH-4D2P-F2DB"), local.forget()]) {
      await expect(found).resolves.toBe(false);
    }
  });
});
