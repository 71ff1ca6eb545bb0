/** The links that are open, what they announced, and what they are asked for. */

import { beforeEach, describe, expect, it } from "vitest";

import { Neighbours } from "../../src/core/neighbours";
import type { Hello, LinkMessage } from "../../src/wire/link";
import { CONTENT } from "./media";

const hello = (peer: string, upload = true): Hello => {
  return { type: "hello", protocol: 1, content: CONTENT, peer: peer.repeat(16), upload };
};
const v7 = { rendition: "v", sequence: 7 };
const key = { ...v7, chunk: 0 };

let neighbours: Neighbours;

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

  it("that end say what they carried, and are forgotten", () => {
    neighbours.takeEvents();
    say(1, { type: "have", holdings: [{ ...v7, chunks: [[0, 0]] }] });
    neighbours.credit(1, 50);
    neighbours.answer({ type: "Asked", link: 1, want: 0, key }, new Uint8Array(70));
    neighbours.end(1, "integrity", 0);
    expect(neighbours.takeEvents()).toStrictEqual([
      { type: "Down", link: 1, reason: "integrity", greeted: true, received: 50, sent: 70 },
    ]);
    expect(neighbours.takeMessages().map((out) => out.type)).toStrictEqual(["SendFrame", "TellLink"]);
    expect([neighbours.all(), neighbours.sent]).toStrictEqual([[2], 70]);
    expect(neighbours.holders(v7, 0, [1, 2])).toStrictEqual([]);
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
    neighbours.want(1, key, 10, 0);
    neighbours.credit(1, 10);
    neighbours.drained(1, 0);
    neighbours.end(1, "closed", 0);
    neighbours.closed(1, "closed", 0);
    neighbours.answer({ type: "Asked", link: 1, want: 0, key }, undefined);
    neighbours.introduce(1, [[v7, [0]]], 0);
    expect([neighbours.takeEvents(), neighbours.takeMessages()]).toStrictEqual([[], []]);
  });
});

describe("announcements", () => {
  it("tell who holds and who loads what", () => {
    say(2, { type: "have", holdings: [{ ...v7, chunks: [[0, 1]] }] });
    say(1, { type: "loading", holdings: [{ ...v7, chunks: [[3, 3]] }] });
    expect(neighbours.holders(v7, 0, [1, 2])).toStrictEqual([2]);
    expect(neighbours.holders(v7, 0, [1])).toStrictEqual([]);
    expect(neighbours.loadedUntil(v7, 3, 0)).toBe(6);
    say(2, { type: "gone", holdings: [{ ...v7, chunks: [[0, 0]] }] });
    expect(neighbours.holders(v7, 0, [1, 2])).toStrictEqual([]);
  });

  it("of ours go to all that are up", () => {
    neighbours.opened(3, hello("0"), 0);
    neighbours.takeMessages();
    neighbours.announce("have", [[v7, [0]]], 0);
    expect(neighbours.takeMessages()).toMatchObject([{ link: 1 }, { link: 2 }]);
    neighbours.introduce(2, [[v7, [1]]], 1);
    expect(neighbours.takeMessages()).toMatchObject([{ link: 2, message: { type: "have" } }]);
  });
});

describe("wants", () => {
  beforeEach(() => {
    say(1, { type: "have", holdings: [{ ...v7, chunks: [[0, 1]] }] });
    neighbours.takeEvents();
    neighbours.want(1, key, 10, 0);
  });

  it("bring a chunk", () => {
    const data = new Uint8Array(10);
    const frame = { want: 0, offset: 0, payload: data };
    expect(neighbours.views()[0]).toMatchObject({ number: 1, inFlight: 1 });
    neighbours.receive({ type: "LinkSends", link: 1, frame }, 0);
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Delivered", link: 1, key, data }]);
  });

  it("that somebody lacks are not asked of him again", () => {
    say(1, { type: "missing", want: 0 });
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Undelivered", key }]);
    expect([0, 1].map((chunk) => neighbours.holders(v7, chunk, [1]))).toStrictEqual([[], [1]]);
    expect(neighbours.views()[0]).toMatchObject({ busyUntil: 0 });
  });

  it("that somebody is too busy for wait as long as he says", () => {
    say(1, { type: "busy", want: 0, wait: 0.7 }, 1);
    expect(neighbours.views()[0]).toMatchObject({ busyUntil: 1.7, inFlight: 0 });
    expect(neighbours.holders(v7, 0, [1])).toStrictEqual([1]);
  });

  it("that nobody answers give the link a rest", () => {
    const at = neighbours.timerAt() ?? NaN;
    neighbours.onTimer(at);
    expect(neighbours.takeEvents()).toStrictEqual([{ type: "Undelivered", key }]);
    expect(neighbours.views()[0]).toMatchObject({ busyUntil: at + 2 });
    expect(neighbours.timerAt()).toBeNull();
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
  it("is answered, or refused", () => {
    neighbours.takeEvents();
    say(2, { type: "want", want: 5, ...key });
    const [asked] = neighbours.takeEvents();
    if (asked?.type !== "Asked") throw new Error("nobody asked");
    expect(asked).toStrictEqual({ type: "Asked", link: 2, want: 5, key });
    neighbours.answer(asked, undefined);
    neighbours.answer(asked, new Uint8Array(3));
    expect(neighbours.takeMessages()).toMatchObject([
      { type: "TellLink", link: 2, message: { type: "missing", want: 5 } },
      { type: "SendFrame", link: 2, frame: { want: 5, offset: 0 } },
    ]);
  });
});
