/** The measured throughput of the origin. */

import { describe, expect, it } from "vitest";

import { Throughput } from "../src/throughput";

describe("throughput", () => {
  it("is unknown at first", () => {
    expect(new Throughput().rate).toBeUndefined();
  });

  it("takes the first measurement as it is, and leaves the time to the first byte out", () => {
    const throughput = new Throughput();
    throughput.measured(1_000_000, 0.5, 1.5);
    expect(throughput.rate).toBeCloseTo(1_000_000);
    expect(throughput.ttfb).toBeCloseTo(0.5);
  });

  it("follows a change within a handful of requests", () => {
    const throughput = new Throughput();
    throughput.measured(1_000_000, 0, 1);
    for (let at = 0; at < 8; at++) throughput.measured(1_000_000, 0, 10);
    expect(throughput.rate).toBeLessThan(160_000);
    expect(throughput.rate).toBeGreaterThan(100_000);
  });

  it("learns as much less from parts of segments as they are smaller, until that is usual", () => {
    const throughput = new Throughput();
    throughput.measured(1_000_000, 0, 1);
    throughput.measured(100_000, 0, 1);
    expect(throughput.rate).toBeCloseTo(1_000_000 - 0.03 * 900_000);
    for (let at = 0; at < 100; at++) throughput.measured(100_000, 0, 1);
    expect(throughput.rate).toBeLessThan(110_000);
  });

  it("learns nothing from small answers", () => {
    const throughput = new Throughput();
    throughput.measured(1_000, 0, 5);
    expect(throughput.rate).toBeUndefined();
  });

  it("survives an answer that came all at once", () => {
    const throughput = new Throughput();
    throughput.measured(100_000, 0.2, 0.2);
    expect(throughput.rate).toBeCloseTo(100_000_000);
  });
});
