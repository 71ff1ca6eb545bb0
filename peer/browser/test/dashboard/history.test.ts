/** What the dashboard makes of what was written and of the seconds since. */

import { describe, expect, it } from "vitest";

import { noFigures } from "../../dashboard/figures";
import type { Figures, Point, Sample } from "../../dashboard/figures";
import { History, withoutShares } from "../../dashboard/history";

/** A point of the series. */
function figures(at: number, more: Partial<Figures> = {}): Point {
  return { ...noFigures(), at, seconds: 10, ...more };
}

/** A second of the stream. */
function sample(at: number, more: Partial<Sample> = {}): Sample {
  return {
    at,
    origin_bytes: 0,
    least_bytes: 0,
    elsewhere_bytes: 0,
    peer_bytes: 0,
    claimed_bytes: 0,
    disputed_bytes: 0,
    edge_bytes: 0,
    waste_bytes: 0,
    overhead_bytes: 0,
    links_attempted: 0,
    links_made: 0,
    links_failed: 0,
    viewers: 0,
    ...more,
  };
}

function written(asOf: number, points: Point[], step = 10): History {
  const history = new History();
  history.load({ step, as_of: asOf, points });
  return history;
}

describe("a second", () => {
  const seconds = Array.from({ length: 20 }, (_, n) => sample(1000 + n, { origin_bytes: 1 }));
  const series = { step: 10, as_of: 1009.5, points: [figures(1000, { origin_bytes: 10 })] };

  it("counts once, whichever way it came first", () => {
    const orders: ((history: History) => void)[][] = [
      [(history) => { history.add(seconds); }, (history) => { history.load(series); }],
      [(history) => { history.load(series); }, (history) => { history.add(seconds); }],
      [
        (history) => { history.load(series); },
        (history) => { history.add(seconds); },
        (history) => { history.load(series); },
      ],
    ];
    for (const steps of orders) {
      const history = new History();
      for (const step of steps) step(history);
      expect(history.total(900).origin_bytes).toBe(20);
    }
  });

  it("waits for what was before, unless that cannot be had", () => {
    const history = new History();
    history.add(seconds);
    expect(history.total(900).origin_bytes).toBe(0);
    history.doWithout();
    expect(history.total(900).origin_bytes).toBe(20);
    history.load(series);
    history.doWithout();
    expect(history.total(900).origin_bytes).toBe(20);
  });

  it("is told once by a stream that begins anew", () => {
    const history = written(0, []);
    history.add(seconds);
    history.restart();
    history.add(seconds);
    history.load({ step: 10, as_of: 1019, points: [figures(1000, { origin_bytes: 20 })] });
    expect(history.total(900).origin_bytes).toBe(20);
  });

  it("of an hour says nothing of it", () => {
    const history = written(3600, [figures(0, { origin_bytes: 36, seconds: 3600 })], 3600);
    history.add([sample(3601, { peer_bytes: 500 })]);
    expect(history.points(7200)).toHaveLength(1);
    expect(history.total(7200).peer_bytes_confirmed).toBe(500);
  });

  it("shows what came by HTTP, from wherever", () => {
    const history = written(1010, [figures(1000, { origin_bytes: 100, elsewhere_bytes: 200 })]);
    expect(history.points(900).at(-1)).toMatchObject({ origin: 30, offload: 0 });
    history.add([sample(1011, { elsewhere_bytes: 500 })]);
    expect(history.points(900).at(-1)?.origin).toBe(800 / 11);
  });

  it("makes no peak", () => {
    const history = written(1010, [figures(1000, { origin_bytes: 10 })]);
    history.add([sample(1011, { peer_bytes: 500 })]);
    expect(history.points(900).at(-1)?.peers).toBe(500 / 11);
  });
});

describe("a range", () => {
  it("has nothing that is too old", () => {
    const points = Array.from({ length: 200 }, (_, n) => figures(10 * n, { origin_bytes: 1 }));
    const history = written(2000, points);
    expect(history.total(900).origin_bytes).toBe(90);
    expect(history.total(3600).origin_bytes).toBe(200);
    history.clear();
    expect(history.total(3600).origin_bytes).toBe(0);
  });

  it("has bytes a second, and what of the last minute came from peers", () => {
    const history = written(1020, [
      figures(1000, { origin_bytes: 100, least_bytes: 80 }),
      figures(1010, { peer_bytes_confirmed: 300 }),
    ]);
    expect(history.points(900)).toStrictEqual([
      { at: 1005, origin: 10, peers: 0, offload: 0, best: 0.2 },
      { at: 1015, origin: 5, peers: 15, offload: 0.75, best: 0.8 }, // the mean of two
    ]);
  });

  it("tells no shares of an origin that is elsewhere", () => {
    const shown = { at: 5, origin: 0, peers: 7, offload: 1, best: 1 };
    expect(withoutShares([shown])).toStrictEqual([{ ...shown, offload: null, best: null }]);
  });

  it("forgets in the offload what is older than a minute", () => {
    const points = Array.from({ length: 8 }, (_, n) =>
      figures(10 * n, n === 0 ? { origin_bytes: 100 } : { peer_bytes_confirmed: 100 }),
    );
    const shares = written(80, points).points(900).map((point) => point.offload);
    expect(shares.at(4)).toBeLessThan(1);
    expect(shares.at(-1)).toBe(1);
  });

  it("of long steps lets each stand for itself", () => {
    const hours = [1, 2].map((n) =>
      figures(3600 * n, { origin_bytes: 3600 * n, peer_bytes_confirmed: 3600, seconds: 3600 }),
    );
    const points = written(10_800, hours, 3600).points(86_400);
    expect(points.map(({ origin }) => origin)).toStrictEqual([1, 2]);
    expect(points.map(({ offload }) => offload)).toStrictEqual([1 / 2, 1 / 3]);
  });

  it("has a gap where nothing ran", () => {
    const history = written(
      1100,
      [1000, 1080, 1090].map((at) => figures(at, { origin_bytes: 100 })),
    );
    expect(history.points(900).map(({ at, origin }) => [at, origin])).toStrictEqual([
      [1005, 10],
      [1010, null],
      [1085, 10],
      [1095, 10],
    ]);
    history.add([sample(1203)]);
    expect(history.points(900).at(-1)?.origin).toBe(10); // no gap before what says too little yet
  });
});
