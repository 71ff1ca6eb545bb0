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
    expect((await load()).chosen()).toBeUndefined();
  });

  it.each(["off", "lan", "network", "any", "relay"] as const)(
    "%s takes effect and is remembered",
    async (mode) => {
      const { choose, chosen } = await load();
      choose(mode);
      expect(chosen()).toBe(mode);
      expect((await load()).chosen()).toBe(mode);
    },
  );

  it("does not change by what is no choice", async () => {
    const { choose, chosen } = await load();
    choose("off");
    choose("everything" as "any");
    expect(chosen()).toBe("off");
    store.set("p2pcdn.consent", "everything");
    expect((await load()).chosen()).toBeUndefined();
  });

  it("lasts as long as the page where there is no storage", async () => {
    vi.stubGlobal("localStorage", undefined);
    const { choose, chosen } = await load();
    choose("off");
    expect(chosen()).toBe("off");
  });

  it("is asked for once a page", async () => {
    const heard = vi.fn<(event: Event) => boolean>();
    vi.stubGlobal("dispatchEvent", heard);
    const { ask } = await load();
    ask();
    ask();
    expect(heard.mock.calls.map(([{ type }]) => type)).toStrictEqual(["p2pcdn:consentneeded"]);
  });
});

describe("a mode in an attribute", () => {
  it.each([
    ["lan", "lan"],
    [" Any ", "any"],
    ["none", "off"],
    ["", "off"],
  ])("%j is %s", async (text, mode) => {
    expect((await load()).modeOf(text)).toBe(mode);
  });
});
