/** One link: greetings, wants both ways, frames, announcements. */

import { beforeEach, describe, expect, it } from "vitest";

import { Link, type LinkEvent } from "../../src/core/link";
import type { Outgoing } from "../../src/core/ports";
import { CHUNK_SIZE, FRAME_PAYLOAD } from "../../src/model";
import { framesOf, type Frame } from "../../src/wire/chunk";
import type { Hello, LinkMessage } from "../../src/wire/link";

const hello: Hello = {
  type: "hello",
  protocol: 1,
  content: "00112233445566778899aabbccddeeff",
  peer: "aaaaaaaaaaaaaaaa",
  upload: true,
};
const v7 = { rendition: "v", sequence: 7 };
const key = { ...v7, chunk: 0 };
const chunk = Uint8Array.from({ length: CHUNK_SIZE }, (_, i) => i);

/** What a link says over its control channel. */
function said(link: Link): LinkMessage[] {
  return link.takeMessages().flatMap((out) => (out.type === "TellLink" ? [out.message] : []));
}

function framesIn(messages: readonly Outgoing[]): Frame[] {
  return messages.flatMap((out) => (out.type === "SendFrame" ? [out.frame] : []));
}

function kinds(events: readonly LinkEvent[]): string[] {
  return events.map(({ type }) => type);
}

let link: Link;

beforeEach(() => {
  link = new Link(3, { ...hello, peer: "0000000000000000" }, 0);
  link.receive(hello, 0);
  link.takeMessages();
  link.takeEvents();
});

describe("greetings", () => {
  it("are said at once, and by both ends", () => {
    const fresh = new Link(3, hello, 0);
    expect(said(fresh)).toStrictEqual([hello]);
    expect(fresh.timerAt()).toBe(5);
    fresh.receive({ ...hello, upload: false }, 1);
    expect(fresh.takeEvents()).toMatchObject([{ type: "Greeted" }]);
    expect([fresh.state, fresh.peer, fresh.uploads]).toStrictEqual(["up", hello.peer, false]);
    expect(fresh.timerAt()).toBeNull();
  });

  it.each([
    ["another protocol", { ...hello, protocol: 2 }, "unsupported_protocol"],
    ["another content", { ...hello, content: "f".repeat(32) }, "wrong_content"],
    ["something before it", { type: "cancel", want: 0 }, "unexpected"],
  ] as const)("end the link: %s", (_, message, code) => {
    const fresh = new Link(3, hello, 0);
    fresh.takeMessages();
    fresh.receive(message, 0);
    expect(said(fresh)).toMatchObject([{ type: "bye", code }]);
    expect(fresh.takeEvents()).toStrictEqual([{ type: "Ended", reason: "protocol" }]);
    expect([fresh.state, fresh.timerAt()]).toStrictEqual(["over", null]);
  });

  it("are waited for no longer than 5 s", () => {
    const fresh = new Link(3, hello, 0);
    fresh.onTimer(4.9);
    expect(fresh.state).toBe("greeting");
    fresh.onTimer(5);
    expect(fresh.takeEvents()).toStrictEqual([{ type: "Ended", reason: "timeout" }]);
  });
});

describe("what we want", () => {
  it("comes in frames, in any order", () => {
    link.want(key, CHUNK_SIZE, 0);
    expect(said(link)).toStrictEqual([{ type: "want", want: 0, ...key }]);
    for (const frame of [...framesOf(0, chunk)].reverse()) link.receive(frame, 0.1);
    expect(link.takeEvents()).toStrictEqual([{ type: "ChunkCame", key, data: chunk }]);
    expect([link.inFlight, link.timerAt()]).toStrictEqual([0, null]);
  });

  it.each([
    ["busy", { type: "busy", want: 0, wait: 1 }, 1],
    ["busy", { type: "busy", want: 0, wait: 1000 }, 2],
    ["missing", { type: "missing", want: 0 }, 0],
  ] as const)("may be refused: %s", (reason, message, busyUntil) => {
    link.want(key, CHUNK_SIZE, 0);
    link.receive(message, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "WantFailed", key, reason }]);
    expect(link.busyUntil).toBe(busyUntil);
  });

  it("is given up when nothing comes, ever later", () => {
    const patience = [1, 2, 3, 4, 5].map(() => {
      link.want(key, CHUNK_SIZE, 0);
      const at = link.timerAt() ?? NaN;
      link.onTimer(at);
      link.receive({ type: "have", holdings: [] }, at); // slow, but there
      return at;
    });
    expect(patience.map((at) => Math.round(at * 10))).toStrictEqual([4, 8, 16, 20, 20]);
    const failures = link.takeEvents().filter(({ type }) => type === "WantFailed");
    expect(failures).toHaveLength(5);
    expect(said(link).at(-1)).toStrictEqual({ type: "cancel", want: 4 });
  });

  it("ends the link when it fails three times without a word", () => {
    for (let now = 0; now < 9 && link.state === "up"; now += 3) {
      link.want(key, CHUNK_SIZE, now);
      link.onTimer(link.timerAt() ?? NaN);
    }
    expect(kinds(link.takeEvents())).toStrictEqual(["WantFailed", "WantFailed", "WantFailed", "Ended"]);
    expect(said(link).at(-1)).toMatchObject({ type: "bye", code: "timeout" });
  });

  it("is waste when it comes after it was cancelled, and no more than its chunk", () => {
    link.want(key, FRAME_PAYLOAD, 0);
    link.cancel(key);
    const frame = { want: 0, offset: 0, payload: chunk.slice(0, FRAME_PAYLOAD) };
    link.receive(frame, 0);
    expect([link.state, link.wasted]).toStrictEqual(["up", FRAME_PAYLOAD]);
    link.receive(frame, 0);
    expect(said(link).at(-1)).toMatchObject({ type: "bye", code: "bad_frame" });
  });

  it.each([
    ["a frame that nobody wants", [{ want: 9, offset: 0, payload: chunk.slice(0, 1) }]],
    ["a frame behind the chunk's end", [{ want: 0, offset: 99, payload: chunk.slice(0, 2) }]],
    [
      "a frame twice",
      [
        { want: 0, offset: 0, payload: chunk.slice(0, 1) },
        { want: 0, offset: 0, payload: chunk.slice(0, 1) },
      ],
    ],
    [
      "frames that overlap",
      [
        { want: 0, offset: 0, payload: chunk.slice(0, 99) },
        { want: 0, offset: 1, payload: chunk.slice(0, 99) },
      ],
    ],
  ])("ends the link: %s", (_, frames) => {
    link.want(key, 100, 0);
    link.takeMessages();
    for (const frame of frames) link.receive(frame, 0);
    expect(said(link)).toMatchObject([{ type: "bye", code: "bad_frame" }]);
    expect(kinds(link.takeEvents())).toStrictEqual(["WantFailed", "Ended"]);
  });
});

describe("what they want", () => {
  it("is sent as far as the channel has room", () => {
    for (const want of [0, 1, 2]) link.receive({ type: "want", want, ...v7, chunk: want }, 0);
    expect(kinds(link.takeEvents())).toStrictEqual(["Wanted", "Wanted", "Wanted"]);
    for (const want of [0, 1, 2]) link.supply(want, chunk);
    expect(framesIn(link.takeMessages()).map(({ want }) => want)).toStrictEqual([
      0, 0, 0, 0, 1, 1, 1, 1,
    ]);
    link.receive({ type: "cancel", want: 2 }, 0);
    link.drained(0);
    expect(link.takeMessages()).toStrictEqual([]);
    expect(link.sent).toBe(2 * CHUNK_SIZE);
  });

  it("is refused when too much is promised already", () => {
    for (let want = 0; want < 10; want++) link.supply(want, chunk);
    expect(said(link).map(({ type }) => type)).toStrictEqual(["busy"]);
  });

  it("is refused when we lack it", () => {
    link.lack(5);
    expect(said(link)).toStrictEqual([{ type: "missing", want: 5 }]);
  });

  it.each([
    ["seventeen at once", [...Array(17).keys()], "too_many"],
    ["one number twice", [0, 1, 2, 2], "unexpected"],
  ])("ends the link: %s", (_, wants, code) => {
    link.supply(100, chunk);
    link.supply(101, chunk); // from here on, everything has to wait
    for (const want of wants) {
      expect(link.state).toBe("up");
      link.receive({ type: "want", want, ...key }, 0);
      if (link.state === "up") link.supply(want, chunk.slice(0, 10));
    }
    expect(said(link).at(-1)).toMatchObject({ type: "bye", code });
  });
});

describe("announcements", () => {
  it("are gathered, and say first what is gone", () => {
    link.announce("have", [[v7, [0]]], 0);
    expect(said(link)).toStrictEqual([{ type: "have", holdings: [{ ...v7, chunks: [[0, 0]] }] }]);
    link.announce("have", [[v7, [1, 2]]], 0.01);
    link.announce("loading", [[v7, [2, 3]]], 0.02);
    link.announce("gone", [[v7, [0, 2]]], 0.03);
    expect([said(link), link.timerAt()]).toStrictEqual([[], 0.1]);
    link.onTimer(0.1);
    expect(said(link)).toStrictEqual([
      { type: "gone", holdings: [{ ...v7, chunks: [[0, 0], [2, 2]] }] }, // prettier-ignore
      { type: "loading", holdings: [{ ...v7, chunks: [[3, 3]] }] },
      { type: "have", holdings: [{ ...v7, chunks: [[1, 1]] }] },
    ]);
  });

  it("are cut into messages of 32 holdings", () => {
    const many = Array.from({ length: 33 }, (_, sequence) => [{ ...v7, sequence }, [0]] as const);
    link.announce("have", many, 0);
    const lengths = said(link).map((message) => message.type === "have" && message.holdings.length);
    expect(lengths).toStrictEqual([32, 1]);
  });

  it("wait for the greeting", () => {
    const fresh = new Link(3, hello, 0);
    fresh.takeMessages();
    fresh.announce("have", [[v7, [0]]], 0);
    expect(said(fresh)).toStrictEqual([]);
    fresh.receive(hello, 1);
    fresh.onTimer(1);
    expect(said(fresh)).toHaveLength(1);
  });

  it("of the other end are handed on", () => {
    const message = { type: "gone", holdings: [] } as const;
    link.receive(message, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "Announced", message }]);
  });
});

describe("the end", () => {
  it.each([
    [{ type: "bye", code: null, detail: "" }, "closed"],
    [{ type: "bye", code: "internal", detail: "" }, "protocol"],
  ] as const)("is said: %o", (bye, reason) => {
    link.want(key, 10, 0);
    link.takeMessages();
    link.receive(bye, 0);
    expect(link.takeEvents()).toStrictEqual([
      { type: "WantFailed", key, reason: "closed" },
      { type: "Ended", reason },
    ]);
    expect(link.takeMessages()).toStrictEqual([]);
  });

  it("comes once, and nothing after it counts", () => {
    link.closed("failed");
    link.end("integrity");
    link.closed("closed");
    link.receive(hello, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "Ended", reason: "failed" }]);
    expect([link.takeMessages(), link.timerAt()]).toStrictEqual([[], null]);
  });
});
