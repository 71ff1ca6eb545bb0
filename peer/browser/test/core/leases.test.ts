/** Leases: whose turn it is and when, and that each is acted upon once. */

import { describe, expect, it } from "vitest";

import { run } from "../../src/core/bits";
import { Leases } from "../../src/core/leases";
import type { Lease } from "../../src/wire/tracker";

const key = { rendition: "v", sequence: 7 };

function lease(stripe: number, more: Partial<Lease> = {}): Lease {
  return { ...key, stripe, stripes: 2, delay: 0, imports: false, ...more };
}

function leasesOf(...granted: Lease[]): Leases {
  const leases = new Leases();
  leases.granted(granted, 0);
  return leases;
}

const due = (leases: Leases, knownAt = 0): number[] =>
  leases.views(key, 8, knownAt).map(({ at }) => at);

describe("leases", () => {
  it("are none to begin with", () => {
    const leases = leasesOf();
    leases.begun(key, 0, 0);
    expect([leases.segments(), leases.views(key, 8, 0), leases.delay(key)]).toStrictEqual([
      [],
      [],
      null,
    ]);
    expect(leases.use(key, 8, [0, 7])).toStrictEqual([]);
  });

  it("of what is imported are apart from those of what is fetched", () => {
    const imported = lease(0, { delay: 1.2, imports: true });
    const both = leasesOf(imported, lease(0, { delay: 0.8 }));
    expect(both.delay(key)).toBe(0.8);
    both.granted([lease(0)], 0); // those before us have left: nothing is said of importing
    expect(both.views(key, 8, 0).map(({ imports }) => imports)).toStrictEqual([true, false]);
    expect(both.delay(key)).toBe(0);
    both.begun(key, 0, 0);
    expect(both.views(key, 8, 0).map(({ begun }) => begun)).toStrictEqual([false, true]);
    expect(both.use(key, 8, [0, 7])).toStrictEqual([0]);
    const alone = leasesOf(imported);
    expect([alone.delay(key), alone.use(key, 8, [0, 7])]).toStrictEqual([null, []]);
    expect(alone.segments()).toStrictEqual([key]);
  });

  it("are for runs of chunks, which together are the segment", () => {
    const leases = leasesOf(lease(1), lease(0));
    expect(leases.segments()).toStrictEqual([key]);
    expect(leases.views(key, 8, 0).map(({ chunks }) => chunks)).toStrictEqual([run(4, 7), run(0, 3)]);
    for (const chunks of [1, 5, 8, 61]) {
      const all = leasesOf(...[0, 1, 2, 3, 4, 5, 6].map((stripe) => lease(stripe, { stripes: 7 })));
      const masks = all.views(key, chunks, 0).map((view) => view.chunks);
      expect(masks.reduce((sum, mask) => sum + mask)).toBe(run(0, chunks - 1));
      expect(masks.reduce((union, mask) => union | mask)).toBe(run(0, chunks - 1));
    }
  });

  it("are due when the segment is known, and their delay is over", () => {
    const leases = leasesOf(lease(0, { delay: 0.8 }));
    expect(due(leases, 5)).toStrictEqual([5.8]);
    leases.granted([lease(0, { delay: 0.5 })], 9);
    expect(due(leases, 5)).toStrictEqual([9.5]);
    expect(leases.delay(key)).toBe(0.5);
  });

  it("are due later once another holder has begun", () => {
    const leases = leasesOf(lease(0, { delay: 0.5 }));
    leases.begun(key, 0, 1);
    leases.begun(key, 1, 50);
    expect(leases.views(key, 8, 0)).toStrictEqual([
      { chunks: run(0, 3), at: 5.5, begun: true, delay: 0.5, imports: false },
    ]);
  });

  it("are used once, by what is fetched of their stripe", () => {
    const leases = leasesOf(lease(0), lease(1));
    expect(leases.use({ ...key, sequence: 8 }, 8, [0, 7])).toStrictEqual([]);
    expect([[3, 3], [0, 7], [0, 7]].map(([a = 0, b = 0]) => leases.use(key, 8, [a, b]))) // prettier-ignore
      .toStrictEqual([[0], [1], []]);
  });

  it("are kept for 128 segments, the newest", () => {
    const many = Array.from({ length: 131 }, (_, sequence) => lease(0, { sequence }));
    const kept = leasesOf(...many).segments();
    expect([kept.length, kept[0]?.sequence]).toStrictEqual([128, 3]);
  });
});
