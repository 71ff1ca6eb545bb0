/** The links that are open, what they announced, and what they are asked for. */

import { beforeEach, describe, expect, it } from "vitest";

import { Room } from "../../src/core/account";
import { Neighbours, type Asked } from "../../src/core/neighbours";
import { CHUNK_SIZE, segmentId } from "../../src/model";
import type { Hello, LinkMessage } from "../../src/wire/link";
import type { Records } from "../../src/wire/manifest";
import { CONTENT } from "./media";

const hello = (peer: string, upload = true): Hello => {
  return { type: "hello", protocol: 1, content: CONTENT, peer: peer.repeat(16), upload };
};
const v7 = { rendition: "v", sequence: 7 };
const key = { ...v7, chunk: 0 };

let neighbours: Neighbours;

/** What a link that may be asked holds of v7; undefined if it may not be asked. */
function held(link: number): bigint | undefined {
  const view = neighbours.views(0).find(({ number }) => number === link);
  return view && (view.held.get(segmentId(v7)) ?? 0n);
}

/** A want of a link. */
function asked(link: number, want: number, need: Asked["need"] = "usual", chunk = 0): Asked {
  return { type: "Asked", link, want, key: { ...key, chunk }, need, era: 0 };
}

function say(link: number, message: LinkMessage, now = 0): void {
  neighbours.receive({ type: "LinkSays", link, message }, now);
}

/** Opens links 1 (a, uploads) and 2 (b, does not). */
beforeEach(() => {
  neighbours = new Neighbours();
  neighbours.opened(1, hello("0"), 0);
  neighbours.opened(2, hello("0"), 0);
  say(1, hello("a"));
  say(2, hello("b", false));
  neighbours.takeMessages();
});

describe("links", () => {
  it("come up when they are greeted", () => {
    expect(neighbours.takeEvents()).toStrictEqual([
      { type: "Up", link: 1, peer: "a".repeat(16) },
      { type: "Up", link: 2, peer: "b".repeat(16) },
    ]);
    neighbours.opened(3, hello("0"), 0);
    expect(neighbours.all()).toStrictEqual([1, 2, 3]);
    expect(neighbours.up().map(({ number }) => number)).toStrictEqual([1, 2]);
  });

  it("count as fellow peers if they upload", () => {
    expect(neighbours.peers()).toStrictEqual(["a".repeat(16)]);
  });

  it("offer what they may be asked for", () => {
    neighbours.takeEvents();
    for (const type of ["have", "have", "gone", "have"] as const) {
      say(1, { type, holdings: [{ ...v7, chunks: [[2, 2]] }] });
    }
    const noted = { type: "Noted", segments: [{ ...v7, chunks: [[2, 2]] }], lostBy: null, offeredBy: 1 };
    const firstWords = { ...noted, offeredBy: null };
    expect(neighbours.takeEvents()).toStrictEqual([firstWords, noted, { ...firstWords, lostBy: 1 }, noted]);
    expect(neighbours.canSend(1, v7, 0b111n, 0)).toBe(true);
    expect(neighbours.canSend(1, v7, 0b011n, 0)).toBe(false);
    expect(neighbours.canSend(3, v7, 0b111n, 0)).toBe(false);
    neighbours.want(1, { ...v7, chunk: 2 }, 3, "usual", 0);
    say(1, { type: "busy", want: 0, wait: 0.3 });
    expect(neighbours.canSend(1, v7, 0b111n, 0.29)).toBe(false);
    expect(neighbours.canSend(1, v7, 0b111n, 0.3)).toBe(true);
  });

  it("that end say what they carried, and are forgotten", () => {
    neighbours.takeEvents();
    say(1, { type: "have", holdings: [{ ...v7, chunks: [[0, 0]] }] });
    neighbours.credit(1, key, 50);
    neighbours.answer(asked(1, 0), new Uint8Array(70), 0, 0);
    neighbours.routed(1, "relay");
    neighbours.routed(1, "host"); // for a while is enough
    neighbours.debit(1, 30, true);
    neighbours.debit(1, 12);
    neighbours.end(1, "integrity", 0);
    const account = { waste: 42, rejected: 1, route: "relay" };
    const events = neighbours.takeEvents();
    expect(events).toMatchObject([
      { type: "Noted", segments: [v7] },
      { type: "Down", link: 1, reason: "integrity", greeted: true, account },
    ]);
    const down = events.find((event) => event.type === "Down");
    expect(down?.account.received.take(new Room())).toStrictEqual([[0, 7, 50, 0, 0]]);
    expect(down?.account.sent.take(new Room())).toStrictEqual([[0, 7, 70, 0, 0]]);
    expect(neighbours.takeMessages().map((out) => out.type)).toStrictEqual(["SendFrame", "TellLink"]);
    expect([neighbours.all(), neighbours.sent]).toStrictEqual([[2], 70]);
    expect(neighbours.offers(v7)).toBe(false);
  });

  it("that end before they were greeted were never up", () => {
    neighbours.takeEvents();
    neighbours.opened(3, hello("0"), 0);
    neighbours.closed(3, "failed", 0);
    expect(neighbours.takeEvents()).toMatchObject([{ type: "Down", link: 3, greeted: false }]);
  });

  it("that are over are not spoken to", () => {
    neighbours.closed(1, "closed", 0);
    neighbours.takeEvents();
    say(1, { type: "cancel", want: 0 });
    neighbours.want(1, key, 10, "usual", 0);
    neighbours.credit(1, key, 10);
    neighbours.drained(1, 0, 0);
    neighbours.end(1, "closed", 0);
    neighbours.closed(1, "closed", 0);
    neighbours.answer(asked(1, 0), undefined, 0, 0);
    neighbours.introduce(1, [[v7, [0]]], []);
    expect([neighbours.takeEvents(), neighbours.takeMessages()]).toStrictEqual([[], []]);
  });
});

describe("announcements", () => {
  it("tell who holds and who loads what", () => {
    neighbours.takeEvents();
    expect(held(2)).toBeUndefined(); // it may be about to say
    say(2, { type: "have", holdings: [{ ...v7, chunks: [[0, 1]] }] });
    say(1, { type: "loading", holdings: [{ ...v7, chunks: [[3, 3]] }] });
    expect([held(1), held(2)]).toStrictEqual([0n, 0b11n]);
    expect(neighbours.loading(v7, 0)).toStrictEqual({ mask: 0b1000n, until: 2 });
    say(2, { type: "gone", holdings: [{ ...v7, chunks: [[0, 0]] }] });
    expect(held(2)).toBe(0b10n);
    expect(neighbours.takeEvents().map(({ type }) => type)).toStrictEqual(["Noted", "Noted", "Noted"]);
  });

  it("are awaited for half a second", () => {
    expect([...neighbours.quiet(0.4).keys()]).toStrictEqual([1, 2]);
    expect(neighbours.views(0.4)).toStrictEqual([]);
    expect([neighbours.quiet(0.5).size, neighbours.views(0.5).length]).toStrictEqual([0, 2]);
  });

  it("of records are passed on to the others", () => {
    const records = { type: "records", page: {}, hashes: "" } as unknown as Records;
    neighbours.takeEvents();
    say(1, records);
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Heard", link: 1, records }]);
    neighbours.passOn(records, 1);
    expect(neighbours.takeMessages()).toMatchObject([{ link: 2, message: { type: "records" } }]);
  });

  it("of ours go to all that are up", () => {
    neighbours.opened(3, hello("0"), 0);
    neighbours.takeMessages();
    neighbours.announce("have", [[v7, [0]]], 0);
    expect(neighbours.takeMessages()).toMatchObject([{ link: 1 }, { link: 2 }]);
    neighbours.introduce(2, [[v7, [1]]], [[v7, [2]]]);
    expect(neighbours.takeMessages()).toMatchObject([
      { link: 2, message: { type: "have" } },
      { link: 2, message: { type: "loading" } },
    ]);
  });

  it("of ours are gathered, and say first what is gone", () => {
    neighbours.announce("have", [[v7, [0]]], 0);
    neighbours.takeMessages();
    neighbours.announce("have", [[v7, [1, 2]]], 0.01);
    neighbours.announce("gone", [[v7, [0, 2]]], 0.03);
    expect([neighbours.takeMessages(), neighbours.timerAt()]).toStrictEqual([[], 0.1]);
    neighbours.onTimer(0.1);
    expect(neighbours.takeMessages()).toMatchObject([
      { link: 1, message: { type: "gone", holdings: [{ chunks: [[0, 0], [2, 2]] }] } }, // prettier-ignore
      { link: 2, message: { type: "gone" } },
      { link: 1, message: { type: "have", holdings: [{ chunks: [[1, 1]] }] } },
      { link: 2, message: { type: "have" } },
    ]);
  });

  it("of ours are told at once if they keep others from asking the origin", () => {
    neighbours.announce("have", [[v7, [0]]], 0);
    neighbours.takeMessages();
    neighbours.announce("loading", [[v7, [1]]], 0.01);
    expect(neighbours.takeMessages()).toMatchObject([{ link: 1 }, { link: 2 }]);
  });

  it("of ours are cut into messages of 32 holdings", () => {
    const many = Array.from({ length: 33 }, (_, sequence) => [{ ...v7, sequence }, [0]] as const);
    neighbours.introduce(1, many, []);
    const lengths = neighbours.takeMessages().map((out) => {
      return out.type === "TellLink" && out.message.type === "have" && out.message.holdings.length;
    });
    expect(lengths).toStrictEqual([32, 1]);
  });
});

describe("wants", () => {
  beforeEach(() => {
    say(1, { type: "have", holdings: [{ ...v7, chunks: [[0, 1]] }] });
    neighbours.takeEvents();
    neighbours.want(1, key, 10, "usual", 0);
  });

  it("bring a chunk", () => {
    const data = new Uint8Array(10);
    const frame = { want: 0, offset: 0, payload: data };
    expect(neighbours.views(0)[0]).toMatchObject({ number: 1, inFlight: 1 });
    expect([neighbours.goodput.askingSince, neighbours.goodput.rate(0)]).toStrictEqual([0, 0]);
    neighbours.receive({ type: "LinkSends", link: 1, frame }, 0);
    expect(neighbours.hasEvents).toBe(true);
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Delivered", link: 1, key, data }]);
    const { askingSince } = neighbours.goodput;
    expect([askingSince, neighbours.goodput.rate(0)]).toStrictEqual([Infinity, 10]);
  });

  it("that somebody lacks are not asked of him again", () => {
    say(1, { type: "missing", want: 0 });
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Undelivered", key }]);
    expect(held(1)).toBe(0b10n);
    expect(neighbours.views(0)[0]).toMatchObject({ busyUntil: 0 });
    expect(neighbours.goodput.askingSince).toBe(Infinity);
  });

  it("that somebody is too busy for wait as long as he says", () => {
    say(1, { type: "busy", want: 0, wait: 0.7 }, 1);
    expect(neighbours.views(0)[0]).toMatchObject({ busyUntil: 1.7, inFlight: 0 });
    expect(held(1)).toBe(0b11n);
  });

  it("that nobody answers give the link a rest", () => {
    const at = neighbours.timerAt() ?? NaN;
    neighbours.onTimer(at);
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Undelivered", key }]);
    expect(neighbours.views(0)[0]).toMatchObject({ busyUntil: at + 2 });
    expect(neighbours.timerAt()).toBeNull();
  });

  it("that nobody answers are not asked elsewhere without end", () => {
    let givenUp = 0;
    neighbours.credit(1, key, 1);
    for (let round = 0; round < 30; round++) {
      const now = neighbours.alarm;
      neighbours.onTimer(now);
      if (!neighbours.takeEvents().some(({ type }) => type === "Undelivered")) continue;
      givenUp += 1;
      say(1, { type: "have", holdings: [] }, now); // slow, but there
      neighbours.want(1, key, CHUNK_SIZE, "usual", now);
    }
    expect(givenUp).toBe(8); // half a megabyte
    expect(neighbours.up()).toHaveLength(2);
  });

  it("are cancelled when somebody else was faster, and late bytes are waste", () => {
    neighbours.cancel(key);
    expect(neighbours.takeMessages()).toMatchObject([{}, { message: { type: "cancel", want: 0 } }]);
    const frame = { want: 0, offset: 0, payload: new Uint8Array(4) };
    neighbours.receive({ type: "LinkSends", link: 1, frame }, 0);
    expect(neighbours.wasted).toBe(4);
    neighbours.closed(1, "closed", 0);
    expect(neighbours.wasted).toBe(4);
  });
});

describe("what others want", () => {
  const chunk = new Uint8Array(CHUNK_SIZE);
  const frames = (): [number, number][] =>
    neighbours.takeMessages().flatMap((out) => {
      return out.type === "SendFrame" ? [[out.link, out.frame.want]] : [];
    });

  it("is answered, or refused", () => {
    neighbours.takeEvents();
    say(2, { type: "want", want: 5, ...key, spare: true, soon: false, imports: false, era: 0 });
    expect(neighbours.takeEvents()).toStrictEqual([asked(2, 5, "spare")]);
    neighbours.answer(asked(2, 5), undefined, 0, 0);
    neighbours.answer(asked(2, 5), new Uint8Array(3), 0, 0);
    expect(neighbours.takeMessages()).toMatchObject([
      { type: "TellLink", link: 2, message: { type: "missing", want: 5 } },
      { type: "SendFrame", link: 2, frame: { want: 5, offset: 0 } },
    ]);
    expect(neighbours.sent).toBe(3);
  });

  it("has to wait when much is promised already: what is for later first", () => {
    let number = 0;
    /** How many chunks more are promised, each of them a tenth of a second. */
    const promised = (need: Asked["need"]): number => {
      for (let more = 0; ; more++) {
        neighbours.answer(asked(2, 99, need, ++number), chunk, 0, 0);
        if (neighbours.takeMessages().some((out) => out.type === "TellLink")) return more;
      }
    };
    expect((["spare", "usual", "soon"] as const).map(promised)).toStrictEqual([1, 3, 6]);
  });

  it("has to wait if somebody else is being sent it, who can pass it on", () => {
    const busy = (link: number, chunkNumber: number): boolean => {
      neighbours.answer(asked(link, 99, "soon", chunkNumber), chunk, 0, 0);
      return neighbours.takeMessages().some((out) => out.type === "TellLink");
    };
    expect([busy(1, 0), busy(2, 0), busy(2, 1), busy(1, 1)]).toStrictEqual([false, false, false, true]);
  });

  it("that has begun goes before another does", () => {
    neighbours.opened(3, hello("0"), 0);
    say(3, hello("c"));
    neighbours.takeMessages();
    for (const [number, link] of [3, 1, 2].entries()) {
      neighbours.answer(asked(link, 0, "usual", number), chunk, 0, 0);
    }
    const sent = frames().map(([link]) => link);
    neighbours.drained(3, 0, 0.01);
    expect([sent, frames()]).toStrictEqual([[3, 3, 3, 1, 1, 1], [[3, 0], [2, 0], [2, 0]]]);
  });

  it("is sent to one after the other, as far as there is room, and on when there is more", () => {
    neighbours.answer(asked(1, 0), chunk, 0, 0);
    neighbours.answer(asked(2, 0, "usual", 1), chunk, 0, 0);
    expect(frames()).toStrictEqual([[1, 0], [1, 0], [1, 0], [2, 0], [2, 0], [2, 0]]); // prettier-ignore
    const at = neighbours.alarm;
    expect(at).toBeGreaterThan(0);
    neighbours.drained(1, 0, at / 2);
    expect(frames()).toStrictEqual([[1, 0]]);
    neighbours.drained(2, 0, at / 2);
    expect(frames()).toStrictEqual([[2, 0]]);
    neighbours.onTimer(1);
    expect([frames(), neighbours.sent]).toStrictEqual([[], 2 * CHUNK_SIZE]);
  });
});
