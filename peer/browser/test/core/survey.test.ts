/** What a node looks at when it decides: what it wants, and what its plan depends on. */

import { beforeEach, describe, expect, it } from "vitest";

import { Leases } from "../../src/core/leases";
import { Neighbours } from "../../src/core/neighbours";
import { Playhead } from "../../src/core/playhead";
import type { View } from "../../src/core/scheduler";
import { Signaling } from "../../src/core/signaling";
import { newStats } from "../../src/core/stats";
import { Store } from "../../src/core/store";
import { Survey } from "../../src/core/survey";
import { Transfers } from "../../src/core/transfers";
import { Trust } from "../../src/core/trust";
import { CHUNK_SIZE, segmentId, type SegmentKey } from "../../src/model";
import type { Hello } from "../../src/wire/link";
import type { FromTracker, Lease } from "../../src/wire/tracker";
import { CONTENT, Media } from "./media";

const LENGTH = 2 * CHUNK_SIZE;
const media = new Media(
  Array.from({ length: 40 }, (_, sequence) => {
    return { rendition: "v", sequence, length: LENGTH, duration: 2000 };
  }),
  false,
);
const v = (sequence: number): SegmentKey => ({ rendition: "v", sequence });
const lease = (sequence: number, delay = 0): Lease => {
  return { ...v(sequence), stripe: 0, stripes: 1, delay, imports: false };
};
const hello = (peer: string): Hello => {
  return { type: "hello", protocol: 1, content: CONTENT, peer, upload: true };
};

/** A survey, and the machines that it looks at. */
class Stage {
  private last = 0;
  private readonly numbers = (): number => ++this.last;
  readonly signaling = new Signaling(
    { site: "pk_demo", content: CONTENT, client: "browser" },
    this.numbers,
  );
  readonly neighbours = new Neighbours();
  readonly playhead = new Playhead();
  readonly trust = new Trust();
  readonly leases = new Leases();
  readonly transfers: Transfers;
  readonly survey: Survey;

  constructor(storeBytes = 1e9) {
    this.transfers = new Transfers(CONTENT, new Store(storeBytes), newStats(), this.numbers);
    const { signaling, neighbours, transfers, playhead, trust, leases } = this;
    this.survey = new Survey(signaling, neighbours, transfers, playhead, trust, leases, 0);
  }

  plays(more: { head?: number; last?: number; buffer?: number; live?: boolean } = {}): void {
    const where = { head: 0, last: 39, buffer: 10, live: false, target: 20, ...more };
    this.playhead.moved({ type: "Playing", rendition: "v", ...where }, 0);
  }

  /** These segments can be verified. */
  know(first: number, last: number, now = 0): void {
    const page = media.pageOfSpan("v", [first, last], now, 1, false);
    this.transfers.receive({ type: "ManifestArrived", page }, now);
    const data = media.hashes("v", [first, last], now);
    const sequences = [first, last] as const;
    this.transfers.receive({ type: "HashesArrived", rendition: "v", sequences, data }, now);
    for (const event of this.transfers.takeEvents()) {
      if (event.type !== "Check") continue;
      this.transfers.receive({ type: "Checked", check: event.check, ok: true }, now);
    }
  }

  hold(...sequences: number[]): void {
    for (const sequence of sequences) {
      for (const chunk of [0, 1]) {
        this.transfers.store.put({ ...v(sequence), chunk }, new Uint8Array(CHUNK_SIZE));
      }
    }
  }

  /** A neighbour that holds these segments. */
  link(holds: Iterable<number> = [], number = 7, now = 0): void {
    const holdings = Array.from(holds, (at) => ({ ...v(at), chunks: [[0, 1]] as const }));
    this.neighbours.opened(number, hello("0".repeat(16)), now);
    const say = (message: Hello | { type: "have"; holdings: typeof holdings }): void => {
      this.neighbours.receive({ type: "LinkSays", link: number, message }, now);
    };
    say(hello(`${number}`.padStart(16, "0")));
    if (holdings.length) say({ type: "have", holdings });
  }

  hear(...messages: FromTracker[]): void {
    for (const message of messages) this.signaling.receive({ type: "TrackerSays", message }, 0);
  }

  join(peers: number): void {
    const limits = { message_bytes: 65_536, messages_per_second: 20, links: 16 };
    const nonce = "0".repeat(32);
    this.hear({ type: "welcome", protocol: 1, nonce, limits, report_every: 10, stun: null });
    const open = { expires: null, mode: "any", relays: null, mac: null } as const;
    this.hear({ type: "joined", peer: "0".repeat(16), peers, ...open });
  }

  demand(sequence: number, within = 10): void {
    this.playhead.asked(v(sequence));
    this.transfers.demand({ type: "Demand", key: v(sequence), within }, true, 0);
  }

  /** The sequences that are wanted. */
  wanted(now = 0): number[] {
    return this.survey.wanted(now).map(({ sequence }) => sequence);
  }

  view(now = 0): View {
    const wanted = this.survey.wanted(now);
    for (const key of wanted) this.transfers.begin(key, now);
    return this.survey.view(new Set(wanted.map(segmentId)), now);
  }
}

const upTo = (end: number, first = 0): number[] =>
  Array.from({ length: end - first }, (_, at) => first + at);

let stage: Stage;

/** Everything is known, and the player plays. */
beforeEach(() => {
  stage = new Stage();
  stage.know(0, 39);
  stage.plays();
  stage.playhead.started = true;
});

describe("what is wanted", () => {
  it("is nothing before the player says where it is", () => {
    const fresh = new Stage();
    expect([fresh.wanted(), fresh.survey.needed([])]).toStrictEqual([[], [new Map(), new Map()]]);
    expect(fresh.view()).toMatchObject({ segments: [], links: [], starting: true });
  });

  it("is to become known, six segments at a time", () => {
    const fresh = new Stage();
    fresh.plays({ head: 3 });
    expect(fresh.wanted()).toStrictEqual(upTo(9, 3));
    expect(fresh.survey.needed(fresh.survey.wanted(0))).toStrictEqual([
      new Map([["v", upTo(9, 3)]]),
      new Map(),
    ]);
  });

  it("is what a neighbour offers, of the next twelve", () => {
    expect(stage.wanted()).toStrictEqual([]);
    stage.link([2, 5, 11, 12]);
    expect(stage.wanted()).toStrictEqual([2, 5, 11]);
    stage.link(upTo(40), 8);
    expect(stage.wanted()).toStrictEqual(upTo(6));
  });

  it("is nothing that was asked for, or is held; until it has left the store", () => {
    stage.link(upTo(10));
    stage.demand(1);
    stage.hold(2, 4);
    expect(stage.wanted()).toStrictEqual([3, 5, 6, 7, 8, 9]);
    stage.transfers.store.drop(v(2));
    stage.survey.forgetHeld();
    expect(stage.wanted()).toStrictEqual([2, 3, 5, 6, 7, 8]);
  });

  it("fits into half of the store", () => {
    const small = new Stage(6 * LENGTH);
    small.know(0, 39);
    small.link(upTo(40));
    small.plays();
    expect(small.wanted()).toStrictEqual([0, 1, 2]);
  });

  it("live, may be newer than the playlist", () => {
    stage.link(upTo(40));
    stage.plays({ head: 30, last: 31 });
    expect(stage.wanted()).toStrictEqual([30, 31]);
    stage.plays({ head: 30, last: 31, live: true });
    expect(stage.wanted()).toStrictEqual(upTo(36, 30));
  });

  it("is what we hold a lease for, a little before the player would ask for it", () => {
    stage.plays({ head: 5 });
    stage.leases.granted([4, 5, 8, 12, 13, 30].map((at) => lease(at)), 0);
    stage.leases.granted([{ ...lease(6), rendition: "w" }], 0);
    expect(stage.wanted()).toStrictEqual([5, 8, 12]); // 20 s of target, and two segments
    stage.hold(8);
    expect(stage.wanted()).toStrictEqual([5, 12]);
  });

  it("live, is what we hold a lease for as soon as it is there", () => {
    const live = new Stage();
    live.know(0, 9);
    live.plays({ head: 5, last: 7, live: true });
    live.leases.granted([4, 7, 9, 10].map((at) => lease(at)), 0);
    expect(live.wanted()).toStrictEqual([7, 9]);
  });
});

describe("records of a live stream", () => {
  const held = (more: { buffer?: number; live?: boolean }, company = true): unknown => {
    const live = new Stage();
    live.know(0, 6);
    if (company) live.link();
    live.plays({ head: 5, last: 7, live: true, ...more });
    live.playhead.asked(v(6));
    const [needed, hold] = live.survey.needed(live.survey.wanted(0));
    expect(needed.get("v")).toStrictEqual([7]);
    return hold.get(7);
  };

  it("are awaited from neighbours, as long as there is time", () => {
    expect(held({})).toBe(2);
    expect(held({ buffer: 1 })).toBe(0);
    expect([held({}, false), held({ live: false })]).toStrictEqual([undefined, undefined]);
  });

  it("are asked for by who holds a lease, in his turn", () => {
    stage.link();
    stage.plays({ head: 5, last: 40, live: true });
    stage.wanted();
    stage.leases.granted([lease(40, 0.4)], 0);
    stage.playhead.asked(v(40));
    expect(stage.survey.needed([])[1]).toStrictEqual(new Map([[40, 0.4]]));
  });

  it("are not awaited where they are known", () => {
    stage.link();
    stage.plays({ head: 5, last: 39, live: true });
    stage.wanted();
    stage.playhead.asked(v(39));
    expect(stage.survey.needed([])[1]).toStrictEqual(new Map());
  });
});

describe("what was out when we came", () => {
  const old = (...playlists: readonly (readonly [head: number, last: number])[]): number[] => {
    let segments: View["segments"] = [];
    for (const [head, last] of playlists) {
      stage.plays({ head, last, live: true });
      ({ segments } = stage.view());
    }
    return segments.filter((segment) => segment.old).map(({ key }) => key.sequence);
  };

  beforeEach(() => {
    stage.link(upTo(40));
  });

  it("is not what comes out after the stream has begun anew, of which the player hears last", () => {
    expect(old([30, 35])).toContain(35);
    stage.survey.forgetSeen();
    expect(old([30, 35], [0, 2], [0, 4]).filter((sequence) => sequence < 6)).toStrictEqual([0, 1, 2]);
  });

  it("is no less where one playlist lags behind another", () => {
    expect(old([30, 35], [30, 34], [30, 35])).toStrictEqual(upTo(36, 30));
  });
});

describe("what the plan depends on", () => {
  it("is what the player says", () => {
    stage.plays({ buffer: 8 });
    const { starting, live, buffer, target, bitrate } = stage.view(3);
    expect([starting, live, buffer, target, bitrate]).toStrictEqual([false, false, 5, 20, LENGTH / 2]);
    expect(new Stage().survey.duration("v")).toBe(4);
  });

  it("is whether a tracker and neighbours guide us", () => {
    stage.link();
    expect(stage.view(0.5).guided).toBe(false);
    stage.join(3);
    expect(stage.view(0.5).guided).toBe(true);
  });

  it("is whether a first link may be hoped for", () => {
    expect(stage.view(1).hopefulUntil).toBe(2);
    expect([stage.survey.hasCompany(1), stage.survey.hasCompany(2)]).toStrictEqual([true, false]);
    stage.join(0);
    expect(stage.view(1).hopefulUntil).toBe(1); // alone
    stage.hear({ type: "invite", pairing: "b".repeat(16), peer: "a".repeat(16) });
    expect(stage.view(1).hopefulUntil).toBe(5);
    stage.survey.p2p = false;
    expect(stage.view(1).hopefulUntil).toBe(1);
  });

  it("is what links hold that have said so, or have had the time to", () => {
    stage.link([], 7, 10);
    expect(stage.view(10)).toMatchObject({ links: [], hopefulUntil: 10.5 });
    expect(stage.view(10.5).links).toHaveLength(1);
  });

  it("is every segment that is wanted, by its deadline", () => {
    stage.link(upTo(6));
    stage.demand(2, 4);
    stage.demand(3, 6);
    const { segments } = stage.view();
    expect(segments.map(({ key }) => key.sequence)).toStrictEqual([2, 3, 4, 5]);
    expect(segments.map(({ deadline }) => deadline)).toStrictEqual([4, 6, 8, 10]);
    expect(segments.map(({ demanded }) => demanded)).toStrictEqual([true, true, false, false]);
  });

  it("is since when a segment is wanted; live, since when it is known", () => {
    const live = new Stage();
    live.know(0, 9, 3);
    live.link([9]);
    live.plays({ head: 9, last: 9, live: true });
    expect(live.view(5).segments[0]?.since).toBe(3);
    live.plays({ head: 9, last: 9 });
    expect(live.view(6).segments[0]?.since).toBe(5);
  });

  it("is what neighbours load", () => {
    stage.link([20]);
    const holdings = [{ ...v(2), chunks: [[0, 0]] as const }];
    stage.neighbours.receive({ type: "LinkSays", link: 7, message: { type: "loading", holdings } }, 0);
    stage.demand(2);
    expect(stage.view().segments[0]).toMatchObject({ loading: 1n, loadingUntil: 2 });
  });

  it("is our rank, which is the last if we don't upload", () => {
    for (let number = 1; number <= 5; number++) stage.link([20], number);
    stage.demand(2);
    stage.survey.upload = false;
    expect(stage.view().segments[0]?.rank).toBe(5);
    stage.survey.upload = true;
    expect(stage.view().segments[0]?.rank).toBe(5); // as it was
    stage.survey.forgetRanks();
    expect(stage.view().segments[0]?.rank).toBe(0);
  });

  it("is something that differs from one decision to the next, and from peer to peer", () => {
    const salts = (peer: string): number[] => {
      const other = new Stage();
      other.link([3]);
      other.signaling.peer = peer;
      return [1, 2].map(() => other.view().salt);
    };
    expect(stage.view().salt).toBe(0);
    expect(new Set([...salts("a".repeat(16)), ...salts("b".repeat(16))]).size).toBe(4);
  });

  it("is whether our own player comes first", () => {
    expect([stage.view().floor, stage.neighbours.uplink.yielding]).toStrictEqual([0, false]);
    stage.trust.rescued(1, 6, 20, 0);
    expect([stage.view().floor, stage.neighbours.uplink.yielding]).toStrictEqual([12, true]);
  });
});
