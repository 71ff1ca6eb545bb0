/** What is thought of the origin: its bad moments count, and small answers say little. */

import { describe, expect, it } from "vitest";

import { Http, percentile } from "../../src/core/http";

const SIZE = 1_000_000;

/** An origin that has shown these rates, one answer each. */
function httpOf(...rates: number[]): Http {
  const http = new Http();
  let now = 0;
  for (const rate of rates) http.answered(SIZE, 0.2, 0.2 + SIZE / rate, (now += 0.2 + SIZE / rate));
  return http;
}

const times = (count: number, rate: number): number[] => Array<number>(count).fill(rate);

describe("an origin", () => {
  it("is taken for a usual one before it has answered", () => {
    const { ttfb, rate } = new Http();
    expect([ttfb, rate]).toStrictEqual([0.2, 250_000]);
    expect(new Http().takes(200_000)).toBeCloseTo(2, 9);
    expect(new Http().isShaky(1e9)).toBe(false);
  });

  it("shows by an answer how long it takes to begin, and how fast it goes on", () => {
    const http = new Http();
    http.answered(32_767, 0.5, 10, 10);
    expect([http.ttfb, http.rate]).toStrictEqual([0.5, 250_000]);
    http.answered(32_768, 0.5, 1.5, 20);
    expect(http.rate).toBeCloseTo(32_768, 6);
  });

  it("is as fast as all answers together that come at a time", () => {
    const http = new Http();
    for (let at = 0; at < 4; at++) http.answered(SIZE, 0.1, 4.1, 10);
    expect(http.rate).toBeCloseTo(1e6, 3);
    http.answered(SIZE, 0.1, 4.1, 12); // for two seconds the line was shared by all of them
    expect(http.rate).toBeCloseTo(1e6 + 1e6 / 8, 3);
  });

  it("shares the line with what links bring", () => {
    const http = new Http();
    http.answered(SIZE, 1, 5, 5, 500_000);
    expect(http.rate).toBeCloseTo((SIZE + 400_000) / 4, 3);
  });

  it("is credited with no more of what links bring than it has shown without them", () => {
    const slow = new Http();
    slow.answered(100_000, 0, 1, 1, 2_000_000);
    expect(slow.rate).toBeCloseTo(200_000, 3);
    const onceFast = new Http();
    onceFast.answered(100_000, 0, 0.1, 0.1);
    onceFast.answered(100_000, 0, 1, 60.1, 2_000_000);
    expect(onceFast.rate).toBeCloseTo(600_000, 3);
  });

  it("is judged by its bad moments", () => {
    expect(httpOf(...times(7, 1e6), ...times(3, 1e5)).rate).toBeCloseTo(1e5, 3);
    expect(httpOf(...times(18, 1e6), ...times(2, 1e5)).rate).toBeCloseTo(1e6, 3);
  });

  it("is forgiven what was twenty answers ago", () => {
    expect(httpOf(...times(5, 1e4), ...times(20, 1e6)).rate).toBeCloseTo(1e6, 3);
  });

  it("is not judged by answers that were over before they were up to speed", () => {
    const http = httpOf(...times(6, 1e6));
    for (let at = 0; at < 10; at++) http.answered(SIZE / 2 - 1, 0, 10, 20 * (at + 1));
    expect([Math.round(http.rate), http.isShaky(1e5)]).toStrictEqual([1e6, false]);
    for (const at of [400, 420]) http.answered(SIZE / 2, 0, 10, at);
    expect(http.isShaky(1e5)).toBe(true);
  });

  it("takes its time, with something in hand", () => {
    expect(httpOf(1e6).takes(400_000)).toBeCloseTo(0.2 + 0.5 + 0.8, 9);
  });

  it("is shaky if it is sometimes hardly fast enough", () => {
    expect(httpOf(1e6, 1e6, 1e6, 1e6, 1.2e5, 1.2e5).isShaky(1e5)).toBe(true);
    expect(httpOf(1e6, 1e6, 1e6, 1e6, 1.2e5, 1.2e5).isShaky(5e4)).toBe(false);
    expect(httpOf(1.2e5, 1e6, 1e6, 1e6, 1e6, 1e6).isShaky(1e5)).toBe(false); // a connection's first
    expect(httpOf(1.2e5, 1.2e5, 1.2e5, 1.2e5, 1.2e5).isShaky(1e5)).toBe(false); // too early to say
  });
});

describe("a percentile", () => {
  it.each([
    [0, 1],
    [0.1, 1],
    [0.2, 2],
    [0.5, 3],
    [1, 4],
  ])("%d of four values is one of them", (share, value) => {
    expect(percentile([4, 2, 1, 3], share)).toBe(value);
  });
});
