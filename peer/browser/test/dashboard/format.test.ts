/** Figures as people read them. */

import { describe, expect, it } from "vitest";

import { count, duration, money, percent, size, unitPrice } from "../../dashboard/format";
import { reasonOf } from "../../dashboard/reasons";

describe("a figure", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [21_400_000, "21.4 MB"],
    [1.5e15, "1.5 PB"],
    [9_007_199_254_740_991, "9.0 PB"],
  ])("of %d bytes", (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });

  it("is 100 % only where it is all", () => {
    expect([0, 0.5, 0.99999, 1].map(percent)).toStrictEqual(["0.0 %", "50.0 %", "99.9 %", "100 %"]);
  });

  it("of time", () => {
    const times = [0.085, 0.99999, 1.2, 12.345, 180, 5969, 5971, 9e6].map(duration);
    expect(times).toStrictEqual([
      ...["85 ms", "1.00 s", "1.20 s", "12.3 s", "3 min", "99 min", "2 h", "2,500 h"],
    ]);
  });

  it("of money", () => {
    expect([0, 0.05, 1234.5].map((amount) => money(amount, "EUR"))).toStrictEqual([
      "€0",
      "€0.05",
      "€1,235",
    ]);
    expect([0, 0.5, 12.4].map((amount) => money(amount, "JPY"))).toStrictEqual([
      "JP¥0",
      "JP¥1",
      "JP¥12",
    ]);
    expect([0.0049, 0.05, 12].map((amount) => unitPrice(amount, "EUR"))).toStrictEqual([
      "€0.0049",
      "€0.05",
      "€12.00",
    ]);
    expect([0.25, 8].map((amount) => unitPrice(amount, "JPY"))).toStrictEqual(["JP¥0.25", "JP¥8"]);
    expect(count(12_345)).toBe("12,345");
  });
});

describe("a reason", () => {
  it("is in words where it is known, and else is what the server says", () => {
    expect(reasonOf({ kind: "link", reason: "timeout" })).toMatch(/^Links: no way/);
    expect(reasonOf({ kind: "socket", reason: "too_many" })).toBe("Turned away: too many");
    expect(reasonOf({ kind: "<b>", reason: "constructor" })).toBe("<b>: constructor");
    expect(reasonOf({ kind: "constructor", reason: "toString" })).toBe("constructor: toString");
  });
});
