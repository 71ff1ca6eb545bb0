/** Figures that add up, and times that stand once. */

import { readFileSync } from "node:fs";

import { describe, expect, it, vi } from "vitest";

import { describe as text } from "../src/overlay";
import { LONGEST, noFigures, Stopwatch, sum, type Stats } from "../src/stats";

describe("figures", () => {
  it("of several sessions add up", () => {
    const one = { ...noFigures(), originBytes: 3, links: 1 };
    const other = { ...noFigures(), originBytes: 4, peerBytes: 5 };
    expect(sum([one, other])).toStrictEqual({
      ...noFigures(),
      originBytes: 7,
      peerBytes: 5,
      links: 1,
    });
    expect(sum([])).toStrictEqual(noFigures());
  });
});

describe("the stopwatch", () => {
  it("keeps the first time of each mark", () => {
    const { timings } = new Stopwatch();
    expect(Object.values(timings)).toStrictEqual([null, null, null, null, null]);
    const watch = new Stopwatch();
    watch.mark("open");
    const first = watch.timings.open;
    expect(first).not.toBeNull();
    watch.mark("open");
    expect(watch.timings.open).toBe(first);
  });

  it("of what is played begins when that does, and tells the page's, which began before", () => {
    const now = vi.spyOn(performance, "now");
    const at = performance.now();
    const page = new Stopwatch();
    const played = (after: number, took: number): number | null => {
      now.mockReturnValue(at + after);
      const watch = new Stopwatch(page);
      now.mockReturnValue(at + after + took);
      watch.mark("announce");
      return watch.timings.announce;
    };
    expect(played(40_000, 300)).toBe(300);
    const { announce } = page.timings;
    expect(announce).toBeGreaterThanOrEqual(40_300);
    expect(played(2 * LONGEST, 200)).toBe(200);
    expect(played(0, LONGEST + 1)).toBe(LONGEST);
    expect(page.timings.announce).toBe(announce);
    now.mockRestore();
  });

  it("of the page has no longest time", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 2 * LONGEST);
    const page = new Stopwatch();
    page.mark("ice");
    now.mockRestore();
    expect(page.timings.ice).toBeGreaterThan(LONGEST);
  });
});

describe("the overlay", () => {
  const none: Stats = {
    ...noFigures(),
    sessions: 1,
    startupMs: null,
    timings: new Stopwatch().timings,
  };

  it("shows the figures as they are, and what came in a second", () => {
    const before = { ...none, httpBytes: 998_000, peerBytes: 1e6, uploadedBytes: 5 };
    const now = { ...none, httpBytes: 1e6, originBytes: 9e5, peerBytes: 3e6, wasteBytes: 77 };
    const shown = text({ ...now, uploadedBytes: 5, links: 2, linkAttempts: 3, startupMs: 700 }, before);
    expect(shown).toMatch(/From the origin +1\.0 MB +2\.0 kB\/s/);
    expect(shown).toMatch(/From peers +3\.0 MB +2\.0 MB\/s/);
    expect(shown).toMatch(/To peers +5 B +0 B\/s/);
    expect(shown).toMatch(/Waste +77 B/);
    expect(shown).toMatch(/Offload +75\.0 %/);
    expect(shown).toMatch(/Links 2 of 3 +Start-up 700 ms/);
  });

  it("has the dashboard's words", () => {
    const tiles = readFileSync(new URL("../dashboard/tiles.tsx", import.meta.url), "utf8");
    for (const word of ["From the origin", "From peers", "Waste", "Offload", "Start-up"]) {
      expect(tiles).toContain(`"${word}"`);
      expect(text(none, none)).toContain(word);
    }
  });

  it("has something to say before there is anything", () => {
    expect(text(none, none)).toMatch(/Offload +0\.0 %\nLinks 0 of 0 +Start-up – ms/);
  });
});
