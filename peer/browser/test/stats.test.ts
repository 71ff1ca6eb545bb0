/** Figures that add up, and times that stand once. */

import { describe, expect, it } from "vitest";

import { describe as text } from "../src/overlay";
import { noFigures, Stopwatch, sum, type Stats } from "../src/stats";

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
});

describe("the overlay", () => {
  const none: Stats = {
    ...noFigures(),
    sessions: 1,
    startupMs: null,
    timings: new Stopwatch().timings,
  };

  it("shows what came in a second, and the share of peers", () => {
    const now = { ...none, httpBytes: 2_000, originBytes: 1e6, peerBytes: 3e6, links: 2 };
    const shown = text({ ...now, startupMs: 700 }, none);
    expect(shown).toMatch(/origin +2\.0 kB\/s +1\.0 MB/);
    expect(shown).toMatch(/peers +3\.0 MB\/s +3\.0 MB +75 %/);
    expect(shown).toMatch(/links +2 +start-up 700 ms/);
  });

  it("has something to say before there is anything", () => {
    expect(text(none, none)).toMatch(/links +0 +start-up - ms/);
  });
});
