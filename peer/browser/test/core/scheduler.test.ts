/** The scheduler: a pure function of what is known now. */

import { describe, expect, it } from "vitest";

import { plan, type ChunkView, type SegmentView, type View } from "../../src/core/scheduler";

const key = { rendition: "v", sequence: 1 };

function chunkView(number: number, more: Partial<ChunkView> = {}): ChunkView {
  return { number, holders: [], loadingUntil: null, asked: false, ...more };
}

function segmentView(more: Partial<SegmentView> = {}): SegmentView {
  return {
    key,
    demanded: true,
    deadline: 20,
    since: 0,
    rank: 0,
    originAfter: 0,
    missingBytes: 131_072,
    chunks: [chunkView(0), chunkView(1)],
    ...more,
  };
}

function viewOf(segments: SegmentView[], more: Partial<View> = {}): View {
  return {
    started: true,
    live: false,
    buffer: 30,
    hopefulUntil: 0,
    http: { ttfb: 0.2, rate: 250_000 },
    segments,
    links: [],
    ...more,
  };
}

const links = [1, 2, 3].map((number) => ({ number, inFlight: 0, busyUntil: 0 }));
const allOfIt = [{ type: "AskOrigin", key, chunks: [0, 1] }];
/** 20 - (0.2 + 131,072 / (0.8 x 250,000) + 0.8) */
const LATEST = 18.344_64;

describe("the origin is asked at once", () => {
  it.each([
    ["when nothing was played yet", viewOf([segmentView()], { started: false, links })],
    ["when the buffer is low", viewOf([segmentView()], { buffer: 3.9, links })],
    ["when nobody is there to wait for", viewOf([segmentView()])],
    ["when the latest start has come", viewOf([segmentView({ deadline: 1.6 })], { links })],
    ["when it is our turn", viewOf([segmentView()], { links })],
  ])("%s", (_, view) => {
    expect(plan(view, 0).asks).toStrictEqual(allOfIt);
  });
});

describe("the origin is asked later", () => {
  it.each([
    ["while a first link may still come up", viewOf([segmentView()], { hopefulUntil: 2 }), 2],
    ["after those before us", viewOf([segmentView({ rank: 2 })], { links }), 0.8],
    ["but not after more than four of them", viewOf([segmentView({ rank: 9 })], { links }), 1.6],
    ["when it has just failed", viewOf([segmentView({ originAfter: 0.5 })], { links }), 0.5],
    [
      "when somebody loads it already",
      viewOf([segmentView({ chunks: [chunkView(0, { loadingUntil: 6 })] })], { links }),
      6,
    ],
    [
      "and by the latest start at the latest",
      viewOf([segmentView({ chunks: [chunkView(0, { loadingUntil: 60 })] })], { links }),
      LATEST,
    ],
  ])("%s", (_, view, at) => {
    const { asks, wakeAt } = plan(view, 0);
    expect(asks).toStrictEqual([]);
    expect(wakeAt).toBeCloseTo(at, 9);
  });

  it("live, where a low buffer is no reason", () => {
    const view = viewOf([segmentView({ rank: 1 })], { live: true, buffer: 1, links });
    expect(plan(view, 0)).toStrictEqual({ asks: [], wakeAt: 0.4 });
  });
});

describe("what lies ahead", () => {
  it("is never asked of the origin", () => {
    const view = viewOf([segmentView({ demanded: false, deadline: Infinity })], { links });
    expect(plan(view, 1000)).toStrictEqual({ asks: [], wakeAt: null });
  });
});

describe("peers", () => {
  const chunks = (count: number, ...holders: number[]): ChunkView[] =>
    Array.from({ length: count }, (_, number) => chunkView(number, { holders }));

  it("share the chunks, the least busy first", () => {
    const view = viewOf([segmentView({ chunks: chunks(4, 1, 2) })], {
      links: [
        { number: 1, inFlight: 2, busyUntil: 0 },
        { number: 2, inFlight: 0, busyUntil: 0 },
      ],
    });
    const asked = plan(view, 0).asks.map((ask) => ask.type === "AskPeer" && ask.link);
    expect(asked).toStrictEqual([2, 2, 1, 2]);
  });

  it("are asked for four chunks each", () => {
    const view = viewOf([segmentView({ chunks: chunks(9, 1, 2) })], { links });
    expect(plan(view, 0).asks).toHaveLength(8);
  });

  it("are asked for sixteen chunks in all", () => {
    const many = Array.from({ length: 8 }, (_, number) => ({ number, inFlight: 1, busyUntil: 0 }));
    const holders = many.map(({ number }) => number);
    const view = viewOf([segmentView({ chunks: chunks(20, ...holders) })], { links: many });
    expect(plan(view, 0).asks).toHaveLength(8);
  });

  it("are left alone while they are busy", () => {
    const busy = [{ number: 1, inFlight: 0, busyUntil: 0.3 }];
    const view = viewOf([segmentView({ chunks: chunks(1, 1) })], { links: busy });
    expect(plan(view, 0)).toStrictEqual({ asks: [], wakeAt: 0.3 });
    expect(plan(view, 0.3).asks).toStrictEqual([
      { type: "AskPeer", link: 1, key: { ...key, chunk: 0 } },
    ]);
  });

  it("are not asked twice", () => {
    const view = viewOf([segmentView({ chunks: [chunkView(0, { holders: [1], asked: true })] })], {
      links,
    });
    expect(plan(view, 0).asks).toStrictEqual([]);
  });

  it("work on what is held, while the origin brings what nobody holds", () => {
    const view = viewOf([segmentView({ chunks: [chunkView(0, { holders: [1] }), chunkView(1)] })], {
      links,
    });
    expect(plan(view, 0).asks).toStrictEqual([
      { type: "AskOrigin", key, chunks: [1, 1] },
      { type: "AskPeer", link: 1, key: { ...key, chunk: 0 } },
    ]);
  });
});
