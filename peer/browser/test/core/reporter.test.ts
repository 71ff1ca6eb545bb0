/** What the tracker is told of us: once, when it is news, and nothing twice. */

import { beforeEach, describe, expect, it } from "vitest";

import { Neighbours } from "../../src/core/neighbours";
import { Playhead } from "../../src/core/playhead";
import type { Watched } from "../../src/core/ports";
import { Reporter } from "../../src/core/reporter";
import { Signaling } from "../../src/core/signaling";
import { newStats, type Stats } from "../../src/core/stats";
import { Store } from "../../src/core/store";
import { Transfers } from "../../src/core/transfers";
import type { FromTracker, ToTracker } from "../../src/wire/tracker";
import { CONTENT } from "./media";

const limits = { message_bytes: 65_536, messages_per_second: 20, links: 16 };
const nonce = "0".repeat(32);

let signaling: Signaling;
let neighbours: Neighbours;
let transfers: Transfers;
let playhead: Playhead;
let stats: Stats;
let reporter: Reporter;

beforeEach(() => {
  let last = 0;
  const numbers = (): number => ++last;
  stats = newStats();
  signaling = new Signaling({ site: "pk_demo", content: CONTENT, client: "browser" }, numbers);
  neighbours = new Neighbours();
  transfers = new Transfers(CONTENT, new Store(1e9), stats, numbers);
  playhead = new Playhead();
  reporter = new Reporter(signaling, neighbours, transfers, playhead);
});

function hear(message: FromTracker): void {
  signaling.receive({ type: "TrackerSays", message }, 0);
  reporter.begin(0);
}

function told(): ToTracker[] {
  const messages = signaling.takeMessages();
  return messages.flatMap((out) => (out.type === "TellTracker" ? [out.message] : []));
}

function enter(): void {
  hear({ type: "welcome", protocol: 1, nonce, limits, report_every: 10, stun: null });
  signaling.receive({ type: "Described", link: 1, sdp: "sdp" }, 0);
  const open = { expires: null, mode: "any", relays: null, mac: null } as const;
  hear({ type: "joined", peer: "0".repeat(16), peers: 1, ...open });
}

function plays(head: number, rendition = "v"): void {
  playhead.moved({ type: "Playing", rendition, head, last: 39, buffer: 9, live: true }, 0);
  reporter.moved(true);
}

function watched(figures: Watched): void {
  const place = { rendition: "v", head: 3, last: 39, buffer: 9, live: true };
  playhead.moved({ type: "Playing", ...place, watched: figures }, 0);
}

/** A link with this pairing, and a chunk of so many bytes that came over it. */
function link(pairing: string, size: number): void {
  const taken = { type: "taken", pairing, peer: "a".repeat(16), offer: 1 } as const;
  signaling.receive({ type: "TrackerSays", message: taken }, 0);
  const hello = { type: "hello", protocol: 1, content: CONTENT, upload: true } as const;
  neighbours.opened(1, { ...hello, peer: "0".repeat(16) }, 0);
  const message = { ...hello, peer: "a".repeat(16) };
  neighbours.receive({ type: "LinkSays", link: 1, message }, 0);
  neighbours.credit(1, { rendition: "v", sequence: 7, chunk: 3 }, size);
}

const position = { rendition: "v", first: 3, head: 3, last: 3, newest: 39, duration: 0, size: 0 };

describe("where we are", () => {
  it("goes with the join", () => {
    plays(3);
    expect(told()).toStrictEqual([]);
    enter();
    expect(told()).toMatchObject([{ type: "join", position: { ...position, live: true }, uplink: 0 }]);
  });

  it("is told at once when it is the first to be told, or another rendition", () => {
    enter();
    told();
    plays(3);
    expect(told()).toStrictEqual([
      { type: "move", upload: true, position: { ...position, live: true }, uplink: 0 },
    ]);
    plays(4);
    expect(told()).toStrictEqual([]);
    plays(4, "w");
    expect(told()).toMatchObject([{ type: "move", position: { rendition: "w", head: 4 } }]);
  });

  it("spans what we hold", () => {
    plays(3);
    for (const sequence of [2, 9]) {
      transfers.store.put({ rendition: "v", sequence, chunk: 0 }, new Uint8Array(1));
    }
    enter();
    expect(told()).toMatchObject([{ position: { first: 2, head: 3, last: 9 } }]);
  });

  it("is told every so often, with how fast we send, if it has changed", () => {
    enter();
    plays(3);
    told();
    expect(reporter.timerAt()).toBe(10);
    reporter.onTimer(true, 10);
    expect(told()).toStrictEqual([]);
    Object.assign(neighbours.uplink, { measured: true, rate: 123_456 });
    reporter.onTimer(true, 20);
    expect(told()).toMatchObject([{ type: "move", uplink: 120_000 }]);
    reporter.onTimer(true, 30);
    expect(told()).toStrictEqual([]);
  });
});

describe("how it plays", () => {
  it.each([30_000, 30_001])("is told for %i ms before we came in, or not at all", (played) => {
    watched({ startup: 800, played });
    stats.originBytes = 3;
    enter();
    told();
    watched({ startup: 800, played: played + 5_000, stalls: 1 });
    stats.originBytes = 7;
    reporter.farewell();
    const quality = { startup: 800, played: played === 30_000 ? 35_000 : 5_000, stalls: 1 };
    const origin = played === 30_000 ? 7 : 4;
    expect(told()).toStrictEqual([{ type: "report", number: 1, origin_bytes: origin, quality }]);
  });
});

describe("how long it took to get connected", () => {
  it("is told once", () => {
    enter();
    told();
    const connected = { announce: 100, answer: 250, ice: null, open: null, first_chunk: null };
    watched(connected);
    reporter.farewell();
    const quality = { announce: 100, answer: 250 };
    expect(told()).toStrictEqual([{ type: "report", number: 1, quality }]);
    watched({ ...connected, ice: 300, open: 400, first_chunk: 900, played: 5 });
    reporter.farewell();
    expect(told()).toMatchObject([
      { number: 2, quality: { played: 5, ice: 300, open: 400, first_chunk: 900 } },
    ]);
    watched({ ...connected, ice: 300, open: 400, first_chunk: 900, played: 5 });
    reporter.farewell();
    expect(told()).toStrictEqual([]);
  });
});

describe("what we moved", () => {
  beforeEach(() => {
    enter();
    plays(3);
    told();
  });

  it("is told when it has changed", () => {
    stats.originBytes = 7;
    transfers.wasted = 3;
    link("b".repeat(16), 50);
    reporter.onTimer(true, 9.9);
    expect(told()).toStrictEqual([]);
    reporter.onTimer(true, 10);
    const pairs = [{ pairing: "b".repeat(16), received: [[0, 7, 50, 3, 3]] }];
    const moved = { renditions: ["v"], pairs };
    const report = { type: "report", number: 1, origin_bytes: 7, waste_bytes: 3, ...moved };
    expect(told()).toStrictEqual([report]);
    reporter.onTimer(true, 20);
    expect(told()).toStrictEqual([]);
    stats.originBytes = 9;
    neighbours.debit(1, 20, true);
    reporter.farewell();
    const vain = [{ pairing: "b".repeat(16), waste: 20, rejected: 1 }];
    expect(told()).toStrictEqual([{ type: "report", number: 2, origin_bytes: 2, pairs: vain }]);
    reporter.farewell();
    expect(told()).toStrictEqual([]);
  });

  it("counts links that have ended, once", () => {
    const pairing = "b".repeat(16);
    link(pairing, 50);
    end();
    reporter.onTimer(true, 10);
    expect(told()).toMatchObject([{ pairs: [{ pairing, received: [[0, 7, 50, 3, 3]] }] }]);
    reporter.onTimer(true, 20);
    expect(told()).toStrictEqual([]);
  });

  it("is nothing to the next socket, if it is of pairings of the last one", () => {
    link("b".repeat(16), 50);
    transfers.fromOrigin.addRun({ rendition: "v", sequence: 4 }, [0, 2], 77);
    transfers.wasted = 3;
    end();
    signaling.receive({ type: "TrackerDown" }, 0);
    reporter.onTimer(true, 10);
    expect(told()).toStrictEqual([]);
    enter();
    told();
    reporter.onTimer(true, 20);
    expect(told()).toStrictEqual([{ type: "report", number: 1, waste_bytes: 3 }]);
  });

  it("is told in as many reports as it takes", () => {
    link("b".repeat(16), 50);
    for (let sequence = 1_700_000_000; sequence < 1_700_000_900; sequence++) {
      for (let chunk = 0; chunk < 64; chunk += 2) {
        neighbours.credit(1, { rendition: "w", sequence, chunk }, 65_536);
      }
    }
    reporter.onTimer(true, 10);
    const reports = told();
    expect(reports).toHaveLength(8);
    for (const report of reports) expect(JSON.stringify(report).length).toBeLessThan(65_536);
    reporter.onTimer(true, 20);
    const sequences = [...reports, ...told()].flatMap((report) =>
      report.type === "report"
        ? (report.pairs ?? []).flatMap(({ received }) => received?.map((runs) => runs[1]))
        : [],
    );
    expect(new Set(sequences).size).toBe(901);
    expect(sequences).toHaveLength(901);
  });

  function end(): void {
    neighbours.closed(1, "closed", 0);
    for (const event of neighbours.takeEvents()) if (event.type === "Down") reporter.ended(event);
  }
});
