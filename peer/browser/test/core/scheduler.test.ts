/** The scheduler: a pure function of what is known now. */

import { describe, expect, it } from "vitest";

import { run } from "../../src/core/bits";
import { Http } from "../../src/core/http";
import type { Rule } from "../../src/core/ports";
import {
  everythingAt,
  leaseAt,
  plan,
  turnAt,
  type AskPeer,
  type LinkView,
  type SegmentView,
  type View,
} from "../../src/core/scheduler";
import { CHUNK_SIZE, segmentId } from "../../src/model";

const key = { rendition: "v", sequence: 1 };
const http = new Http();

/** A segment of four chunks, due in 20 s. */
function segmentView(more: Partial<SegmentView> = {}): SegmentView {
  return {
    key,
    demanded: true,
    deadline: 20,
    since: 0,
    chunks: 4,
    missing: 0b1111n,
    asked: 0n,
    late: 0n,
    silent: false,
    comesUntil: -Infinity,
    missingBytes: 4 * CHUNK_SIZE,
    rank: 0,
    loading: 0n,
    loadingUntil: 0,
    fetching: false,
    helped: false,
    old: false,
    originAfter: 0,
    leases: [],
    ...more,
  };
}

/** A link that holds these chunks of segment 1. */
function linkView(number: number, chunks: bigint, more: Partial<LinkView> = {}): LinkView {
  const held = new Map([[segmentId(key), chunks]]);
  const usual = { inFlight: 0, window: 4, rate: 250_000, rtt: 0, busyUntil: 0, received: 1 };
  return { number, ...usual, isCredible: () => true, held, ...more };
}

function viewOf(segments: SegmentView[], more: Partial<View> = {}): View {
  return {
    starting: false,
    live: false,
    buffer: 25,
    target: 30,
    floor: 0,
    patience: 0.5,
    guided: true,
    uplink: 625_000,
    sheltered: false,
    starvedUntil: 0,
    hopefulUntil: 0,
    bitrate: 125_000,
    goodput: 0,
    askingSince: Infinity,
    http,
    segments,
    links: [linkView(1, 0b1111n)],
    salt: 0,
    ...more,
  };
}

const origin = (rule: Rule, first: number, last: number, rescue = false) => {
  return { type: "AskOrigin", key, chunks: [first, last], rule, rescue };
};
const wants = (view: View, now = 0): AskPeer[] =>
  plan(view, now).asks.filter((ask) => ask.type === "AskPeer");

/** 20 s less what 256 KiB take at 200 KB/s, and a second. */
const LATEST = 20 - http.takes(4 * CHUNK_SIZE);

describe("what the origin brings in haste", () => {
  const next = { rendition: "v", sequence: 2 };
  const links = [linkView(1, 0n, { held: new Map([[segmentId(next), 1n]]) })];
  const asks = (more: Partial<SegmentView>, live = false) => {
    const later = segmentView({ key: next, demanded: false });
    const comes = { deadline: 3, missing: 0n, fetching: true, comesUntil: 0.5, ...more };
    return plan(viewOf([segmentView(comes), later], { links, live }), 0);
  };

  it("has the line for itself as long as something of it comes", () => {
    expect(asks({})).toStrictEqual({ asks: [], wakeAt: 0.5 });
    for (const more of [{ comesUntil: 0 }, { deadline: 8 }, { demanded: false }]) {
      expect(asks(more).asks).toHaveLength(1);
    }
    expect(asks({}, true).asks).toHaveLength(1);
  });
});

describe("what the origin is late with", () => {
  it("is asked of links, too, however urgent it is", () => {
    const hangs = segmentView({ deadline: 0.1, missing: 0n, late: 0b0110n, fetching: true });
    const asked = wants(viewOf([hangs], { links: [linkView(1, 0b1100n)] }));
    expect(asked.map(({ chunk, need }) => [chunk, need])).toStrictEqual([[2, "soon"]]);
  });
});

describe("a machine that has no time for us", () => {
  const links = [1, 2, 3].map((number) => linkView(number, 0b1111n));

  it("asks for little that is not due soon", () => {
    const starved = (more: Partial<View> = {}): View =>
      viewOf([segmentView()], { links, starvedUntil: 1, ...more });
    expect(wants(starved())).toHaveLength(2);
    expect(plan(starved(), 0).wakeAt).toBe(1);
    expect(wants(starved(), 1)).toHaveLength(4);
    expect(wants(starved({ live: true }))).toHaveLength(4);
    expect(wants(starved({ segments: [segmentView({ deadline: 3 })] }))).toHaveLength(4);
    const busy = { ...linkView(4, 0n), inFlight: 1 };
    expect(wants(starved({ links: [...links, busy] }))).toHaveLength(1);
  });

  it("calls no peer slow", () => {
    const slow = (starvedUntil: number): View =>
      viewOf([segmentView()], { links, starvedUntil, askingSince: -1, goodput: 0 });
    expect(plan(slow(0), 0).asks).toContainEqual(origin("joins", 0, 1));
    expect(plan(slow(1), 0).asks.every(({ type }) => type === "AskPeer")).toBe(true);
    const due = (starvedUntil: number): View =>
      viewOf([segmentView({ missing: 0n, asked: 1n })], { links, starvedUntil, askingSince: 10 });
    expect(plan(due(0), LATEST + 1).asks).toStrictEqual([origin("latest", 0, 0, true)]);
    expect(plan(due(30), LATEST + 1).asks).toStrictEqual([origin("latest", 0, 0, false)]);
  });
});

describe("what is played next", () => {
  const later = { rendition: "v", sequence: 3 };
  const beyond = segmentView({ key: later, demanded: false, deadline: 9, missing: 0b1n });
  const held = new Map([
    [segmentId(key), 0b1n],
    [segmentId(later), 0b1n],
  ]);
  const asked = (nearest: Partial<SegmentView>, more: Partial<View> = {}): number[] => {
    const near = segmentView({ deadline: 8, missing: 0b1n, ...nearest });
    const view = viewOf([near, { ...beyond }], { links: [linkView(1, 0n, { held })], ...more });
    return wants(view).map((ask) => ask.key.sequence);
  };

  it("has to be there before more is asked for", () => {
    expect(asked({})).toStrictEqual([1]);
    expect(asked({ missing: 0n, asked: 0b1n })).toStrictEqual([]); // it is on its way
    expect(asked({ missing: 0n })).toStrictEqual([3]);
    expect(asked({ deadline: 8.1 })).toStrictEqual([1, 3]);
    expect(asked({}, { live: true })).toStrictEqual([1, 3]);
  });

  it("holds nothing up if no neighbour can bring it", () => {
    expect(asked({ missing: 0b10n })).toStrictEqual([3]);
    expect(asked({ missing: 0b10n, loading: 0b10n, loadingUntil: 1 })).toStrictEqual([]);
    expect(asked({ missing: 0b10n, loading: 0b10n })).toStrictEqual([3]);
    const liar = linkView(2, 0b10n, { isCredible: () => false });
    const links = [linkView(1, 0n, { held }), liar];
    expect(asked({ missing: 0b10n }, { links })).toContain(3);
  });

  it("is due soon before the player asks for it, of a recording", () => {
    const needs = (live: boolean): string[] =>
      wants(viewOf([segmentView({ demanded: false, deadline: 4 })], { live })).map(({ need }) => need);
    expect(new Set(needs(false))).toStrictEqual(new Set(["soon"]));
    expect(new Set(needs(true))).toStrictEqual(new Set(["usual"]));
  });
});

describe("all of a segment comes from the origin", () => {
  it.each([
    ["when the buffer is below the floor", viewOf([segmentView()], { floor: 26 }), 0, false],
    ["when its latest start has come", viewOf([segmentView()]), LATEST, false],
    [
      "when peers who had the time to prove themselves are late",
      viewOf([segmentView({ missing: 0b1100n, asked: 0b0011n })], { askingSince: 10 }),
      LATEST,
      true,
    ],
    [
      "live, when its latest start has come in spite of all patience",
      viewOf([segmentView()], { live: true, patience: 1 }),
      LATEST,
      true,
    ],
  ])("%s", (_, view, at, rescue) => {
    const [segment = segmentView()] = view.segments;
    const [due, isRescue] = everythingAt(segment, view, 0);
    expect(due).toBeCloseTo(at, 9);
    expect(everythingAt(segment, view, at)[1]).toBe(rescue);
    expect(isRescue || rescue).toBe(rescue);
    const rule = view.floor ? "floor" : "latest";
    expect(plan(view, at + 0.001).asks).toStrictEqual([origin(rule, 0, 3, rescue)]);
  });

  it("but not before the pause of an origin that failed", () => {
    const view = (): View => viewOf([segmentView({ originAfter: 0.5 })], { floor: 30 });
    expect(plan(view(), 0).wakeAt).toBe(0.5);
    expect(plan(view(), 0.5).asks).toStrictEqual([origin("floor", 0, 3)]);
  });

  it("when a viewer waits for the first picture, and nobody does anything else", () => {
    const ahead = segmentView({ key: { ...key, sequence: 2 }, demanded: false });
    const view = (after: number): View =>
      viewOf([segmentView({ originAfter: after }), ahead], { starting: true });
    expect(plan(view(0), 0)).toStrictEqual({ asks: [origin("start", 0, 3)], wakeAt: null });
    expect(plan(view(0.5), 0)).toStrictEqual({ asks: [], wakeAt: 0.5 });
  });

  it("and has the line for itself when there is no time to lose", () => {
    const tight = { missing: 0n, fetching: true };
    const ahead = (more: Partial<SegmentView>): View =>
      viewOf([segmentView(more), segmentView({ demanded: false, deadline: 22 })]);
    expect(wants(ahead(tight), LATEST - 0.1)).toHaveLength(4);
    expect(wants(ahead(tight), LATEST)).toStrictEqual([]);
    expect(wants(ahead({}), LATEST)).toStrictEqual([]); // which is asked for in this very plan
  });

});

describe("live, when patience is over, the origin makes up for", () => {
  const over = LATEST / 2 + 0.1;
  /** What the origin is asked for if peers bring so many chunks until the latest start. */
  const asked = (chunks: number, segment = segmentView({ missing: 0n, asked: 0b1111n })) => {
    const goodput = (1.2 * chunks * CHUNK_SIZE) / (LATEST - over);
    const links = [linkView(1, 0b1100n)];
    const { asks } = plan(viewOf([segment], { live: true, goodput, links }), over);
    return asks.filter((ask) => ask.type === "AskOrigin");
  };

  it("nothing that peers are fast enough for", () => {
    const view = viewOf([segmentView({ missing: 0n, asked: 0b1111n })], { live: true });
    expect(plan(view, over - 0.11).wakeAt).toBeCloseTo(LATEST / 2, 9);
    expect(asked(4.01)).toStrictEqual([]);
  });

  it("as many chunks as they are too slow for", () => {
    expect(asked(3.99)).toStrictEqual([origin("patience", 0, 0)]);
    expect(asked(1.01)).toStrictEqual([origin("patience", 0, 2)]);
    expect(asked(0)).toStrictEqual([origin("patience", 0, 3)]);
  });

  it("what nobody holds before anything else", () => {
    const segment = (): SegmentView => segmentView({ missing: 0b1110n, asked: 0b0001n });
    expect(asked(3.01, segment())).toStrictEqual([origin("patience", 1, 1)]);
    expect(asked(2.01, segment())).toStrictEqual([origin("patience", 1, 2)]);
  });
});

describe("live, what was out before we came", () => {
  it("is left to peers for half a second, or to who is before us for less", () => {
    const old = segmentView({ old: true, missing: 0n, asked: 0b11n });
    expect(plan(viewOf([old], { live: true, patience: 1 }), 0).wakeAt).toBe(0.5);
    const orphan = segmentView({ old: true, rank: 2 });
    expect(turnAt(orphan, viewOf([]))).toBeCloseTo(0.2, 9);
  });
});

describe("what nobody holds", () => {
  const links = [linkView(1, 0b0011n)];

  it("is fetched in turn, shortly before the latest start", () => {
    const turn = (rank: number): number => turnAt(segmentView({ rank }), viewOf([], { links }));
    expect([0, 1, 4, 9].map(turn)).toStrictEqual(
      [0, 0.4, 1.6, 1.6].map((later) => LATEST - 1.5 + later),
    );
    const view = viewOf([segmentView()], { links });
    expect(plan(view, LATEST - 1.5).asks).toContainEqual(origin("turn", 2, 3));
    expect(plan(view, LATEST - 1.6).asks).not.toContainEqual(origin("turn", 2, 3));
  });

  it("is fetched in turn from the beginning where no tracker gives leases", () => {
    const view = viewOf([segmentView({ rank: 2 })], { links, guided: false });
    expect(plan(view, 0).wakeAt).toBe(0.8);
    expect(turnAt(segmentView({ rank: 2 }), view)).toBe(0.8);
  });

  it("is fetched at once where nobody is, unless somebody may come", () => {
    const alone = viewOf([segmentView()], { links: [], hopefulUntil: 2 });
    expect(plan(alone, 0)).toMatchObject({ asks: [] });
    expect(plan(alone, 2).asks).toStrictEqual([origin("turn", 0, 3)]);
  });

  it("is waited for while a neighbour loads it", () => {
    const loading = { loading: 0b1000n, loadingUntil: 6 };
    const view = viewOf([segmentView(loading)], { links, guided: false });
    expect(plan(view, 0).asks).toContainEqual(origin("turn", 2, 2));
    expect(plan(viewOf([segmentView(loading)], { links, guided: false }), 6).asks).toContainEqual(
      origin("turn", 2, 3),
    );
  });
});

describe("a lease", () => {
  const lease = { chunks: 0b1100n, at: 1, begun: false, delay: 0, imports: false };
  const ahead = { demanded: false, leases: [lease] };

  it("is acted upon in its turn, whether the player asks or not", () => {
    expect(plan(viewOf([segmentView(ahead)], { links: [] }), 0)).toStrictEqual({
      asks: [],
      wakeAt: 1,
    });
    expect(plan(viewOf([segmentView(ahead)], { links: [] }), 1).asks).toStrictEqual([origin("lease", 2, 3)]);
  });

  it("is not acted upon for what a neighbour holds or loads", () => {
    const links = [linkView(1, 0b0100n)];
    const loading = { loading: 0b1000n, loadingUntil: 6 };
    expect(plan(viewOf([segmentView(ahead)], { links }), 1).asks).toContainEqual(origin("lease", 3, 3));
    const view = viewOf([segmentView({ ...ahead, ...loading })], { links });
    expect(plan(view, 1).asks.filter(({ type }) => type === "AskOrigin")).toStrictEqual([]);
  });

  it.each([
    [false, [1, 2], [1, 3]],
    [true, [1, 2, 3], [1, 2, 3]],
  ])("is one of some that are acted upon together (live: %s)", (live, fetched, added) => {
    const links = [linkView(1, 0n)];
    const segments = (busy: number[]) =>
      [1, 2, 3].map((sequence) =>
        segmentView({ ...ahead, key: { rendition: "v", sequence }, fetching: busy.includes(sequence) }),
      );
    const asked = (busy: number[]) =>
      plan(viewOf(segments(busy), { links, live }), 1).asks.map((ask) => ask.key.sequence);
    expect(asked([])).toStrictEqual(fetched);
    expect(asked([1, 3])).toStrictEqual(added);
  });

  it("that another holder acts upon is ours again before it is everybody's turn", () => {
    const view = viewOf([]);
    const begun = { ...lease, begun: true, at: 99 };
    expect(leaseAt(lease, segmentView(), view)).toBe(1);
    expect(leaseAt(begun, segmentView(), view)).toBeCloseTo(LATEST - 1.5 - 1.2, 9);
    const second = { ...begun, delay: 0.4 };
    expect(leaseAt(second, segmentView(), view)).toBeCloseTo(LATEST - 1.5 - 0.8, 9);
    expect(leaseAt({ ...begun, at: 2 }, segmentView(), view)).toBe(2);
  });

  it("of a recording waits longer for those who come before us, as far as there is time", () => {
    const second = { ...lease, delay: 0.4 };
    const at = (live: boolean) => leaseAt(second, segmentView(), viewOf([], { live }));
    expect([at(true), at(false)]).toStrictEqual([1, 1.8]);
    const due = segmentView({ deadline: 0 });
    expect(leaseAt(second, due, viewOf([]))).toBe(1);
  });

  it("waits while the origin has no time to lose with what is ours", () => {
    const fetching = { ...ahead, demanded: true, fetching: true, missing: 0n };
    const asked = (deadline: number) =>
      plan(viewOf([segmentView({ ...fetching, deadline }), later]), 1).asks.length;
    const later = segmentView({ ...ahead, key: { rendition: "v", sequence: 9 } });
    expect([asked(1), asked(9)]).toStrictEqual([0, 1]);
  });
});

describe("a buffer that fills", () => {
  const asking = { askingSince: 0, goodput: 200_000, buffer: 3 };
  const soon = () => segmentView({ deadline: 5 });

  it("that is fairly full is left to peers as long as it does not shrink", () => {
    const view = (goodput: number) => viewOf([soon()], { askingSince: 0, goodput, buffer: 10 });
    expect(plan(view(124_999), 1).asks).toContainEqual(origin("joins", 0, 1));
    expect(plan(view(125_000), 1).asks.every(({ type }) => type === "AskPeer")).toBe(true);
  });

  it("is left to peers for a second, and then as long as they bring twice what is played", () => {
    expect(plan(viewOf([segmentView()], asking), 0.5).wakeAt).toBe(1);
    expect(plan(viewOf([soon()], asking), 1).asks).toContainEqual(origin("joins", 0, 1));
    const enough = { ...asking, buffer: 3, goodput: 250_000 };
    const { asks, wakeAt } = plan(viewOf([segmentView()], enough), 1);
    expect(asks.every(({ type }) => type === "AskPeer")).toBe(true);
    expect(wakeAt).toBe(1.25);
  });

  it("has the origin bring the first half of what is left, whoever was asked for it", () => {
    const view = viewOf([segmentView({ missing: 0b1000n, asked: 0b0110n, deadline: 4 })], asking);
    expect(plan(view, 1).asks).toContainEqual(origin("joins", 1, 2));
  });

  it("is left to slow peers as far as they bring it before its latest start", () => {
    const joined = (comes: number) => {
      const goodput = (comes * CHUNK_SIZE * 2) / (LATEST - 1);
      return plan(viewOf([segmentView()], { ...asking, goodput }), 1);
    };
    expect(joined(4.5).asks.every(({ type }) => type === "AskPeer")).toBe(true);
    expect(joined(4.5).wakeAt).toBe(1.25);
    expect(joined(3.5).asks).toContainEqual(origin("joins", 0, 0));
    expect(joined(0.5).asks).toContainEqual(origin("joins", 0, 1));
  });

  it("has the origin bring no more while it brings something", () => {
    const view = viewOf([segmentView({ fetching: true })], asking);
    expect(plan(view, 1).asks.every(({ type }) => type === "AskPeer")).toBe(true);
  });

  it("is left to peers live, whatever they bring", () => {
    const view = viewOf([segmentView()], { ...asking, live: true });
    expect(plan(view, 1).asks.every(({ type }) => type === "AskPeer")).toBe(true);
  });
});

describe("peers", () => {
  const many = (count: number, more: Partial<LinkView> = {}): LinkView[] =>
    Array.from({ length: count }, (_, at) => linkView(at + 1, run(0, 19), more));
  const large = { chunks: 20, missing: run(0, 19), missingBytes: 20 * CHUNK_SIZE, deadline: 60 };

  it("are asked for what is due soon, as urgent", () => {
    const view = viewOf([segmentView({ missing: 0b1011n })], { salt: 3 });
    expect(wants(view, LATEST - 2).map(({ chunk, need }) => [chunk, need])).toStrictEqual([
      [0, "soon"],
      [3, "soon"],
      [1, "soon"],
    ]);
  });

  it("share the work, if they are fast enough", () => {
    const links = [
      linkView(1, 0b1111n, { received: 5 * CHUNK_SIZE, rate: 1e6 }),
      linkView(2, 0b1111n, { received: 7 * CHUNK_SIZE, rate: 9e6 }),
      linkView(3, 0b1111n, { received: 0, rate: CHUNK_SIZE }),
    ];
    expect(wants(viewOf([segmentView()], { links })).map(({ link }) => link)).toStrictEqual([
      1, 1, 1, 2,
    ]);
  });

  it("that have brought nothing keep nobody else from being asked", () => {
    const silent = linkView(1, 0n, { inFlight: 4, received: 0 });
    const [proven, free] = [linkView(2, 0n, { inFlight: 4 }), linkView(3, 0b1111n, { rate: 1e6 })];
    const asked = (...links: LinkView[]) => wants(viewOf([segmentView()], { links })).length;
    expect([asked(proven, free), asked(silent, free)]).toStrictEqual([0, 4]);
  });

  it("are as likely to be asked for any chunk of a run first", () => {
    const links = [linkView(1, 0b1111n << 16n, { window: 1 })];
    const firsts = Array.from({ length: 80 }, (_, salt) =>
      wants(viewOf([segmentView(large)], { links, salt })).map(({ chunk }) => chunk),
    ).flat();
    const times = [16, 17, 18, 19].map((chunk) => firsts.filter((first) => first === chunk).length);
    expect(times).toStrictEqual([20, 20, 20, 20]);
  });

  describe("of a live stream", () => {
    const next = { ...key, sequence: 2 };
    const held = new Map([[segmentId(key), 0b1111n]]);
    const links = [
      linkView(1, 0b1111n),
      linkView(2, 0b1111n, { window: 9, held: new Map([...held, [segmentId(next), 0b111111n]]) }),
      linkView(3, 0b1111n),
    ];
    const behind = { key: next, demanded: false, deadline: 60, chunks: 6, missing: 0b111111n };
    const asked = (first: number, more: Partial<View> = {}, other: Partial<SegmentView> = {}) => {
      const segments = [segmentView(), segmentView({ ...behind, ...other })];
      const goodput = 8 * CHUNK_SIZE;
      const view = viewOf(segments, { live: true, patience: 1, goodput, links, ...more });
      return wants(view, LATEST - first).map(({ key: { sequence } }) => sequence);
    };

    it("are asked for a little of what is to be spread before what is due soon", () => {
      expect(asked(1)).toStrictEqual([2, 2, 2, 2, 1, 1, 1, 1]);
      expect(asked(2.1).slice(0, 6)).toStrictEqual([2, 2, 2, 2, 2, 2]);
      const view = viewOf([segmentView(behind)], { live: true, links });
      expect(wants(view).every(({ need }) => need === "soon")).toBe(true);
    });

    it.each([
      ["in a recording", 1, { live: false }],
      ["where there are importers", 1, { sheltered: true }],
      ["by who sends too little to pass it on", 1, { uplink: 62_000 }],
      ["if there are too few to tell", 1, { links: links.slice(1) }],
      ["if that is about to be late", 0.6, {}],
    ])("are not asked for that first %s", (_, first, more) => {
      expect(asked(1, { uplink: 62_500 })[0]).toBe(2);
      expect(asked(first, more)[0]).toBe(1);
    });

    it("are not asked first for what was out before we came", () => {
      expect(asked(1, {}, { old: true })[0]).toBe(1);
    });
  });

  it("are asked first for what only one of them holds", () => {
    const links = [linkView(1, 0b0111n), linkView(2, 0b1011n, { window: 0 })];
    expect(wants(viewOf([segmentView()], { links })).map(({ chunk }) => chunk)).toStrictEqual([
      2, 0, 1,
    ]);
  });

  it("are asked who will have sent it the soonest", () => {
    const links = [linkView(1, 0b1111n, { rate: 100_000 }), linkView(2, 0b1111n)];
    const asked = wants(viewOf([segmentView()], { links })).map(({ link }) => link);
    expect(asked).toStrictEqual([2, 2, 1, 2]);
  });

  it("are asked for as much as their windows allow, and for what they can bring in half a second", () => {
    const view = (more: Partial<View>): number => wants(viewOf([segmentView(large)], more)).length;
    expect(view({ links: many(3, { window: 1 }) })).toBe(3);
    expect(view({ links: many(8) })).toBe(4);
    expect(view({ links: many(8), goodput: 8 * CHUNK_SIZE })).toBe(8);
    expect(view({ links: many(8), goodput: 1e9 })).toBe(16);
    expect(view({ links: many(8, { inFlight: 1 }), goodput: 1e9 })).toBe(8);
  });

  it("are left alone while they are busy", () => {
    const view = viewOf([segmentView()], { links: [linkView(1, 0b1111n, { busyUntil: 0.2 })] });
    expect(plan(view, 0)).toStrictEqual({ asks: [], wakeAt: 0.2 });
    expect(wants(view, 0.2)).toHaveLength(4);
  });

  it("come after near ones if they are far, where importers are named", () => {
    const near = linkView(1, 0b0011n, { rtt: 0.01 });
    const far = linkView(2, 0b1111n, { rtt: 0.04 });
    const lease = { chunks: 0b0100n, at: 0, begun: false, delay: 0, imports: true };
    const asked = (more: Partial<SegmentView>, now: number, view: Partial<View> = {}): unknown => {
      const { links = [near, far], ...others } = view;
      const common = { links, live: true, patience: 1, sheltered: true, goodput: 1e6, ...others };
      return wants(viewOf([segmentView({ rank: 1, ...more })], common), now)
        .map(({ link, chunk }) => `${link}:${chunk}`)
        .sort();
    };
    const all = ["1:0", "1:1", "2:2", "2:3"];
    expect(asked({}, 0)).toStrictEqual(["1:0", "1:1"]);
    expect(asked({ leases: [lease] }, 0)).toStrictEqual(["1:0", "1:1", "2:2"]);
    expect(asked({ leases: [{ ...lease, at: 1.2 }] }, 1.1)).toStrictEqual(["1:0", "1:1"]);
    expect(asked({ leases: [{ ...lease, at: 1.2 }] }, 1.2)).toContain("2:2");
    expect(asked({ leases: [{ ...lease, imports: false }] }, 0)).toStrictEqual(["1:0", "1:1"]);
    expect(asked({}, 3.4)).toStrictEqual(all);
    expect(asked({}, 0, { sheltered: false })).toHaveLength(4);
    expect(asked({}, 0, { live: false })).toStrictEqual(all);
    expect(asked({ demanded: false }, 0, { live: false })).toStrictEqual(["1:0", "1:1"]);
    expect(asked({}, 0, { links: [near, { ...far, rtt: 0 }] })).toStrictEqual(all);
    expect(asked({ deadline: 4 }, 0.9)).toStrictEqual(all);
    expect(asked({ rank: 30 }, 3 + 4 * 0.4)).toStrictEqual(all);
    const away = { links: [linkView(1, 0b0011n, { rtt: 0.01, busyUntil: 100 }), far] };
    const mine = { leases: [{ ...lease, chunks: 0b1111n }] };
    expect(asked(mine, 0, away)).toStrictEqual(["2:2", "2:3"]);
    expect(asked({}, 0, away)).toStrictEqual([]);
    expect(asked({}, 3.4, away)).toStrictEqual(["2:2", "2:3"]);
    expect(asked({}, 4.4, away)).toStrictEqual(["2:0", "2:1", "2:2", "2:3"]);
  });

  it("are told which of it is to be brought into our network", () => {
    const links = [linkView(1, 0b0011n, { rtt: 0.01 }), linkView(2, 0b1111n, { rtt: 0.04 })];
    const lease = { chunks: 0b0101n, at: 0, begun: false, delay: 0, imports: true };
    const common = { links, live: true, patience: 1, sheltered: true, goodput: 1e6 };
    const needs = wants(viewOf([segmentView({ leases: [lease] })], common), 0)
      .map(({ chunk, need }) => `${chunk} ${need}`)
      .sort();
    expect(needs).toStrictEqual(["0 imports", "1 usual", "2 imports"]);
  });

  it("bring what we only import, and never the origin", () => {
    const lease = { chunks: 1n, at: 0, begun: false, delay: 0, imports: false };
    const asks = (imports: boolean): number => {
      const leases = [{ ...lease, imports }];
      const view = viewOf([segmentView({ leases })], { live: true, links: [linkView(1, 0n)] });
      return plan(view, 0).asks.length;
    };
    expect([asks(false), asks(true)]).toStrictEqual([1, 0]);
  });

  it("may have nothing to wait for", () => {
    expect(plan(viewOf([segmentView({ deadline: Infinity, missing: 0n })]), 0).wakeAt).toBeNull();
  });

  it("are not asked for what somebody was asked for", () => {
    expect(wants(viewOf([segmentView({ missing: 0n, asked: 0b1111n })]))).toStrictEqual([]);
  });

  it("bring what lies ahead, and what the player would not ask for yet if they have to spare", () => {
    const ahead = (deadline: number, live = false) =>
      wants(viewOf([segmentView({ demanded: false, deadline, missing: 1n })], { live }))[0]?.need;
    expect([ahead(29), ahead(31), ahead(31, true)]).toStrictEqual(["usual", "spare", "usual"]);
  });
});
