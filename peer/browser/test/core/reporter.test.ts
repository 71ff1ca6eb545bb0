/** What the tracker is told of us: once, when it is news, and nothing twice. */

import { beforeEach, describe, expect, it } from "vitest";

import { Neighbours } from "../../src/core/neighbours";
import { Playhead } from "../../src/core/playhead";
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
  hear({ type: "joined", peer: "0".repeat(16), peers: 1, expires: null, mode: "any", relays: null });
}

function plays(head: number, rendition = "v"): void {
  playhead.moved({ type: "Playing", rendition, head, last: 39, buffer: 9, live: true }, 0);
  reporter.moved(true);
}

/** A link with this pairing, and how many bytes came over it. */
function link(pairing: string, received: number): void {
  const taken = { type: "taken", pairing, peer: "a".repeat(16), offer: 1 } as const;
  signaling.receive({ type: "TrackerSays", message: taken }, 0);
  const hello = { type: "hello", protocol: 1, content: CONTENT, upload: true } as const;
  neighbours.opened(1, { ...hello, peer: "0".repeat(16) }, 0);
  const message = { ...hello, peer: "a".repeat(16) };
  neighbours.receive({ type: "LinkSays", link: 1, message }, 0);
  neighbours.credit(1, received);
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
    expect(told().map(({ type }) => type)).toStrictEqual(["report"]);
    Object.assign(neighbours.uplink, { measured: true, rate: 123_456 });
    reporter.onTimer(true, 20);
    expect(told()).toMatchObject([{ type: "move", uplink: 120_000 }]);
    reporter.onTimer(true, 30);
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
    const pairs = [{ pairing: "b".repeat(16), received: 50, sent: 0 }];
    const report = { type: "report", origin_bytes: 7, waste_bytes: 3, pairs };
    expect(told()).toMatchObject([report]);
    reporter.onTimer(true, 20);
    expect(told()).toStrictEqual([]);
    reporter.farewell();
    expect(told()).toMatchObject([report]);
  });

  it("counts links that have ended, once they could be told", () => {
    const pairing = "b".repeat(16);
    link(pairing, 50);
    neighbours.closed(1, "closed", 0);
    for (const event of neighbours.takeEvents()) if (event.type === "Down") reporter.ended(event);
    signaling.receive({ type: "TrackerDown" }, 0);
    reporter.onTimer(true, 10);
    expect(told()).toStrictEqual([]);
    enter();
    told();
    reporter.onTimer(true, 20);
    expect(told()).toMatchObject([{ pairs: [{ pairing, received: 50, sent: 0 }] }]);
    stats.originBytes = 1;
    reporter.onTimer(true, 30);
    expect(told()).toMatchObject([{ pairs: [] }]);
  });
});
