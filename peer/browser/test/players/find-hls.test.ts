/** Every hls.js player of a page is found, whenever it comes. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { findHls } from "../../src/players/find-hls";
import type { Hls } from "../../src/players/hls-types";

/** As much of a player as there is to find. */
class FakeHls {
  readonly heard: unknown[][] = [];

  trigger(...args: unknown[]): boolean {
    this.heard.push(args);
    return true;
  }
}

/** A class of its own for each test: ours wraps its prototype for good. */
function freshClass(): typeof FakeHls {
  return class extends FakeHls {
    override trigger(...args: unknown[]): boolean {
      return super.trigger(...args);
    }
  };
}

let page: EventTarget;
let found: Hls[];
const look = (hls: Hls): void => {
  found.push(hls);
};

beforeEach(() => {
  page = new EventTarget();
  found = [];
  vi.useFakeTimers();
  vi.stubGlobal("document", page);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("players", () => {
  it("that were made before us are found as soon as they do something", () => {
    const Hls = freshClass();
    const hls = new Hls();
    vi.stubGlobal("Hls", Hls);
    findHls(look);
    expect(hls.trigger("hlsManifestLoading", { url: "x" })).toBe(true);
    expect(found).toStrictEqual([hls]);
    expect(hls.heard).toStrictEqual([["hlsManifestLoading", { url: "x" }]]);
  });

  it("are found before their first event is heard", () => {
    const Hls = freshClass();
    vi.stubGlobal("Hls", Hls);
    const heardByThen: number[] = [];
    findHls((hls) => heardByThen.push((hls as unknown as FakeHls).heard.length));
    new Hls().trigger("hlsManifestLoading");
    expect(heardByThen).toStrictEqual([0]);
  });

  it("of a class that comes with a later script are found", () => {
    findHls(look);
    const Hls = freshClass();
    vi.stubGlobal("Hls", Hls);
    page.dispatchEvent(new Event("load"));
    const hls = new Hls();
    hls.trigger("hlsMediaAttaching");
    expect(found).toStrictEqual([hls]);
  });

  it("of a class that comes from nowhere are found a moment later", () => {
    findHls(look);
    const Hls = freshClass();
    vi.stubGlobal("Hls", Hls);
    vi.advanceTimersByTime(500);
    new Hls().trigger("hlsMediaAttaching");
    expect(found).toHaveLength(1);
  });

  it("are told once an event, however often we look", () => {
    const Hls = freshClass();
    vi.stubGlobal("Hls", Hls);
    findHls(look);
    page.dispatchEvent(new Event("load"));
    vi.advanceTimersByTime(2_000);
    new Hls().trigger("hlsMediaAttaching");
    expect(found).toHaveLength(1);
  });

  it("of a second copy of hls.js are found, too", () => {
    vi.stubGlobal("Hls", freshClass());
    findHls(look);
    const Second = freshClass();
    vi.stubGlobal("Hls", Second);
    page.dispatchEvent(new Event("load"));
    new Second().trigger("hlsMediaAttaching");
    expect(found).toHaveLength(1);
  });

  it.each([["nothing", undefined], ["an element", {}], ["a number", 5], ["a function", () => 1]])(
    "are not looked for in a global that is %s",
    (_, global) => {
      vi.stubGlobal("Hls", global);
      expect(() => {
        findHls(look);
      }).not.toThrow();
    },
  );

  it("leave no trace where there is no hls.js", () => {
    findHls(look);
    vi.advanceTimersByTime(100_000);
    expect("Hls" in globalThis).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});
