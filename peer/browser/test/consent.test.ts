/** The viewer's choice, and where it is remembered. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type * as Module from "../src/consent";

const store = new Map<string, string>();

beforeEach(() => {
  store.clear();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => store.set(key, value),
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** As a page would load it: a module that has read the storage anew. */
async function load(): Promise<typeof Module> {
  vi.resetModules();
  return import("../src/consent");
}

describe("consent", () => {
  it("is the site's business until the viewer says something", async () => {
    const { consented } = await load();
    expect(consented()).toStrictEqual({ p2p: true, hostOnly: false });
  });

  it.each([
    ["off", { p2p: false, hostOnly: false }],
    ["lan", { p2p: true, hostOnly: true }],
    ["network", { p2p: true, hostOnly: true }],
    ["any", { p2p: true, hostOnly: false }],
    ["relay", { p2p: false, hostOnly: false }],
  ] as const)("%s takes effect and is remembered", async (mode, effect) => {
    const { choose, consented } = await load();
    choose(mode);
    expect(consented()).toStrictEqual(effect);
    expect((await load()).consented()).toStrictEqual(effect);
  });

  it("does not change by what is no choice", async () => {
    const { choose, consented } = await load();
    choose("off");
    choose("everything" as "any");
    expect(consented().p2p).toBe(false);
    store.set("p2pcdn.consent", "everything");
    expect((await load()).consented().p2p).toBe(true);
  });

  it("lasts as long as the page where there is no storage", async () => {
    vi.stubGlobal("localStorage", undefined);
    const { choose, consented } = await load();
    choose("off");
    expect(consented().p2p).toBe(false);
  });
});
