/** What comes of the figures. */

import { describe, expect, it } from "vitest";

import {
  add,
  bestPossible,
  noFigures,
  offload,
  saved,
  verdict,
} from "../../dashboard/figures";
import { between, RANGES, rangeOf } from "../../dashboard/ranges";

describe("figures", () => {
  it("add up, but for the most viewers", () => {
    const total = { ...noFigures(), origin_bytes: 1, viewers_max: 3 };
    add(total, { ...noFigures(), origin_bytes: 2, viewers_max: 2 });
    expect(total).toStrictEqual({ ...noFigures(), origin_bytes: 3, viewers_max: 3 });
  });

  it("say what came from peers, if anything came", () => {
    expect(offload(noFigures())).toBeNull();
    expect(offload({ origin_bytes: 1, elsewhere_bytes: 0, peer_bytes_confirmed: 3 })).toBe(0.75);
    expect(offload({ origin_bytes: 4, elsewhere_bytes: 0, peer_bytes_confirmed: -1 })).toBe(0); // taken back
    expect(offload({ origin_bytes: 1, elsewhere_bytes: 2, peer_bytes_confirmed: 1 })).toBe(0.25);
  });

  it("never say that less than nothing was saved", () => {
    expect(saved({ ...noFigures(), peer_bytes_confirmed: 5, overhead_bytes: 2 })).toBe(3);
    expect(saved({ ...noFigures(), peer_bytes_confirmed: 1, overhead_bytes: 2 })).toBe(0);
  });

  it("say what the origin need not have sent", () => {
    const of = (origin: number, least: number, peers: number): number | null =>
      bestPossible({
        origin_bytes: origin,
        elsewhere_bytes: 0,
        least_bytes: least,
        peer_bytes_confirmed: peers,
      });
    expect(of(0, 0, 0)).toBeNull();
    expect(of(10, 10, 0)).toBe(0);
    expect(of(10, 10, 30)).toBe(0.75);
    expect(of(20, 10, 20)).toBe(0.75); // the origin has sent something twice
    expect(of(10, 10, -5)).toBe(0); // taken back
    expect(of(0, 0, 10)).toBe(1);
  });

  it("are judged", () => {
    const shares = [0, 0.0099, 0.01, 0.03, 0.031].map(verdict);
    expect(shares).toStrictEqual(["good", "good", "acceptable", "acceptable", "concerning"]);
  });
});

describe("a range", () => {
  it("is what the address says, or the shortest", () => {
    for (const range of RANGES) expect(rangeOf(`#${range.id}`)).toBe(range);
    for (const hash of ["", "#", "#2h", "#constructor"]) expect(rangeOf(hash)).toBe(RANGES[0]);
  });

  it("is asked for up to now, in steps that the server has", () => {
    expect(between(rangeOf("#1h"), 5000.5)).toBe("from=1400&to=5002");
    for (const { span, step } of RANGES) {
      expect(span / step).toBeLessThanOrEqual(360);
      expect(step % 10).toBe(0);
    }
  });
});
