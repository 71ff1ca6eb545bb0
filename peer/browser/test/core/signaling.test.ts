/** Signalling: the talk with the tracker, and every connection until its channels open. */

import { beforeEach, describe, expect, it } from "vitest";

import type { Event } from "../../src/core/ports";
import { Signaling } from "../../src/core/signaling";
import type { FromTracker, ToTracker, Welcome } from "../../src/wire/tracker";
import { CONTENT } from "./media";

const welcome: Welcome = {
  type: "welcome",
  protocol: 1,
  nonce: "0".repeat(32),
  limits: { message_bytes: 65_536, messages_per_second: 20, links: 16 },
  report_every: 10,
  stun: null,
};
const peer = "a".repeat(16);
const pairing = "b".repeat(16);

let signaling: Signaling;

beforeEach(() => {
  let last = 0;
  signaling = new Signaling({ site: "pk_demo", content: CONTENT, client: "browser" }, () => ++last);
});

function hear(message: FromTracker, now = 0): void {
  signaling.receive({ type: "TrackerSays", message }, now);
}

function described(link: number, now = 0): void {
  signaling.receive({ type: "Described", link, sdp: `sdp ${link}` }, now);
}

function found(link: number): void {
  signaling.receive({ type: "CandidateFound", link, candidate: "c", mid: "0" }, 0);
}

/** What was told to the tracker since. */
function told(): ToTracker[] {
  const messages = signaling.takeMessages();
  return messages.flatMap((out) => (out.type === "TellTracker" ? [out.message] : []));
}

/** In the swarm, with link 1 prepared for whomever comes. */
function enter(): void {
  hear(welcome);
  described(1);
  hear({ type: "joined", peer, peers: 1, expires: null, mode: "any", relays: null, mac: null });
  told();
  signaling.takeEvents();
}

describe("the join", () => {
  it("carries the offer that is made meanwhile", () => {
    hear(welcome);
    expect([signaling.takeEvents(), told()]).toStrictEqual([[{ type: "MakeOffer", link: 1 }], []]);
    described(1, 0.2);
    expect(told()).toMatchObject([{ type: "join", offers: [{ offer: 1, sdp: "sdp 1" }] }]);
    hear({ type: "joined", peer, peers: 1, expires: null, mode: "any", relays: null, mac: null });
    expect([signaling.state, signaling.peer]).toStrictEqual(["in", peer]);
  });

  it("waits half a second for it, and sends it after", () => {
    hear(welcome);
    expect(signaling.timerAt()).toBe(0.5);
    signaling.onTimer(0.5);
    expect(told()).toMatchObject([{ type: "join", offers: [] }]);
    described(1, 0.6);
    expect(told()).toStrictEqual([{ type: "prepared", offer: 1, sdp: "sdp 1" }]);
  });

  it("comes first: nothing is told before", () => {
    signaling.tell({ type: "leave" });
    hear(welcome);
    signaling.tell({ type: "leave" });
    expect(told()).toStrictEqual([]);
  });
});

describe("a prepared offer", () => {
  beforeEach(enter);

  it("becomes a pairing's, and another one is prepared", () => {
    hear({ type: "taken", pairing, peer, offer: 1 }, 1);
    expect(signaling.takeEvents()).toStrictEqual([{ type: "MakeOffer", link: 2 }]);
    expect([signaling.pairingOf(1), signaling.connecting()]).toStrictEqual([pairing, true]);
    hear({ type: "answer", pairing, sdp: "theirs" });
    hear({ type: "candidate", pairing, candidate: "c", mid: "0" });
    hear({ type: "candidates", pairing, candidates: ["d", "e"], mid: "0" });
    expect(signaling.takeEvents()).toStrictEqual([
      { type: "TakeAnswer", link: 1, sdp: "theirs" },
      ...["c", "d", "e"].map((candidate) => ({
        type: "AddCandidate",
        link: 1,
        candidate,
        mid: "0",
      })),
    ]);
    signaling.receive({ type: "LinkOpened", link: 1 }, 1.25);
    expect(told()).toStrictEqual([{ type: "linked", pairing, took: 250 }]);
    expect(signaling.connecting()).toBe(false);
  });

  it("is thrown away when it is 55 s old", () => {
    expect(signaling.timerAt()).toBe(55);
    signaling.onTimer(55);
    expect(signaling.takeEvents()).toStrictEqual([{ type: "CloseLink", link: 1 }]);
    hear({ type: "taken", pairing, peer, offer: 1 }, 55);
    expect(told()).toStrictEqual([{ type: "unlinked", pairing, reason: "failed" }]);
  });

  it("has candidates that come late", () => {
    found(1);
    expect(signaling.timerAt()).toBe(0.02);
    signaling.onTimer(0.02);
    const offers = [{ offer: 1, candidates: ["c"], mid: "0" }];
    expect(told()).toStrictEqual([{ type: "candidates", pairings: [], offers }]);
  });
});

describe("a pairing", () => {
  beforeEach(enter);

  it.each([
    ["is invited", { type: "invite", pairing, peer }, "MakeOffer", "offer"],
    ["is offered", { type: "offer", pairing, peer, sdp: "theirs" }, "MakeAnswer", "answer"],
  ] as const)("that %s gets a description, then its candidates", (_, message, event, tag) => {
    hear(message);
    expect(signaling.takeEvents()).toMatchObject([{ type: event, link: 2 }]);
    found(2);
    expect(told()).toStrictEqual([]);
    described(2);
    const pairings = [{ pairing, candidates: ["c"], mid: "0" }];
    expect(told()).toStrictEqual([
      { type: tag, pairing, sdp: "sdp 2" },
      { type: "candidates", pairings, offers: [] },
    ]);
    found(2);
    signaling.onTimer(0.02);
    expect(told()).toStrictEqual([{ type: "candidates", pairings, offers: [] }]);
  });

  it("has 4 s to become a link", () => {
    hear({ type: "invite", pairing, peer }, 1);
    expect(signaling.timerAt()).toBe(5);
    signaling.onTimer(5);
    expect(signaling.takeEvents().at(-1)).toStrictEqual({ type: "CloseLink", link: 2 });
    expect(told()).toStrictEqual([{ type: "unlinked", pairing, reason: "timeout" }]);
  });

  it("is over when the other end went, unless there is a link", () => {
    hear({ type: "invite", pairing, peer });
    hear({ type: "unpaired", pairing });
    expect(signaling.takeEvents().at(-1)).toStrictEqual({ type: "CloseLink", link: 2 });
    hear({ type: "invite", pairing, peer });
    described(3);
    signaling.receive({ type: "LinkOpened", link: 3 }, 0);
    signaling.takeEvents();
    hear({ type: "unpaired", pairing });
    expect(signaling.takeEvents()).toStrictEqual([]);
  });

  it("that failed is said", () => {
    hear({ type: "invite", pairing, peer });
    signaling.receive({ type: "LinkClosed", link: 2, reason: "failed" }, 0);
    expect(told()).toStrictEqual([{ type: "unlinked", pairing, reason: "failed" }]);
    expect(signaling.pairingOf(2)).toBeNull();
  });

  it("that nobody knows is ignored", () => {
    hear({ type: "answer", pairing, sdp: "theirs" });
    hear({ type: "candidate", pairing, candidate: "c", mid: "0" });
    hear({ type: "unpaired", pairing });
    expect([signaling.takeEvents(), told()]).toStrictEqual([[], []]);
  });
});

describe("the end", () => {
  const closed: Event[] = [
    { type: "CloseLink", link: 1 },
    { type: "CloseLink", link: 2 },
  ];

  beforeEach(() => {
    enter();
    hear({ type: "invite", pairing, peer });
    signaling.takeEvents();
  });

  it("of the socket leaves open links alone", () => {
    hear({ type: "invite", pairing: peer, peer });
    described(3);
    signaling.receive({ type: "LinkOpened", link: 3 }, 0);
    signaling.takeEvents();
    signaling.receive({ type: "TrackerDown" }, 0);
    expect(signaling.takeEvents()).toStrictEqual(closed);
    expect([signaling.state, signaling.timerAt()]).toStrictEqual(["out", null]);
    told();
    signaling.over(3, "closed");
    expect(told()).toStrictEqual([]);
  });

  it("may be ours", () => {
    signaling.leave();
    expect([told(), signaling.takeEvents()]).toStrictEqual([[{ type: "leave" }], closed]);
  });

  it("may be the tracker's, if it says so", () => {
    const error = { type: "error", code: "draining", detail: "", retry_after: 2 } as const;
    hear({ ...error, fatal: false });
    expect(signaling.takeEvents()).toStrictEqual([]);
    hear({ ...error, fatal: true });
    expect(signaling.takeEvents()).toStrictEqual([
      { type: "TrackerRefused", code: "draining", retryAfter: 2 },
    ]);
  });
});
