/** One link: greetings, wants both ways, frames, announcements. */

import { beforeEach, describe, expect, it } from "vitest";

import { Link, type LinkEvent } from "../../src/core/link";
import type { Outgoing } from "../../src/core/ports";
import { CHUNK_SIZE, FRAME_PAYLOAD } from "../../src/model";
import { framesOf, type Frame } from "../../src/wire/chunk";
import type { Hello, LinkMessage } from "../../src/wire/link";
import type { Records } from "../../src/wire/manifest";

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

/** All frames that a link owes. */
function framesOwed(link: Link): Frame[] {
  const frames = [];
  for (let frame = link.nextFrame(); frame; frame = link.nextFrame()) frames.push(frame);
  return frames;
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
    link.want(key, CHUNK_SIZE, "usual", 0);
    const how = { spare: false, soon: false, imports: false };
    expect(said(link)).toStrictEqual([{ type: "want", want: 0, ...key, ...how, era: 0 }]);
    for (const frame of [...framesOf(0, chunk)].reverse()) link.receive(frame, 0.1);
    expect(link.takeEvents()).toStrictEqual([{ type: "ChunkCame", key, data: chunk }]);
    expect(link.inFlight).toBe(0);
    link.onTimer(link.alarm);
    expect(link.timerAt()).toBeNull();
  });

  it.each([
    ["spare", true, false],
    ["usual", false, false],
    ["soon", false, true],
  ] as const)("says how much it matters: %s", (need, spare, soon) => {
    link.want(key, CHUNK_SIZE, need, 0);
    expect(said(link)).toMatchObject([{ type: "want", spare, soon }]);
  });

  it("shows how fast the other end is, and may be more the better it goes", () => {
    expect([link.rate, link.window]).toStrictEqual([250_000, 2]);
    const fetch = (at: number): void => {
      link.want(key, CHUNK_SIZE, "usual", at);
      for (const frame of framesOf(at, chunk)) link.receive(frame, at + 0.1);
    };
    fetch(0);
    expect(link.rate).toBeCloseTo(250_000 + (655_360 - 250_000) / 4, 6);
    for (const at of [1, 2, 3]) fetch(at);
    expect(link.window).toBe(4);
    link.receive({ type: "busy", want: 99, wait: 1 }, 4); // for what was given up: of no matter
    expect([link.window, link.busyUntil]).toStrictEqual([4, 0]);
    link.want(key, CHUNK_SIZE, "usual", 4);
    link.receive({ type: "busy", want: 4, wait: 1 }, 4);
    expect([link.window, link.busyUntil]).toStrictEqual([1, 5]);
  });

  it("may be many as long as chunks come promptly", () => {
    const windows = Array.from({ length: 60 }, (_, at) => {
      link.want(key, CHUNK_SIZE, "usual", at);
      for (const frame of framesOf(at, chunk)) link.receive(frame, at + (at < 30 ? 0.05 : 0.2));
      return link.window;
    });
    expect([windows[29], Math.max(...windows), windows[59]]).toStrictEqual([12, 12, 4]);
  });

  it("may be one more with as many as are asked for, after the other end was busy", () => {
    link.want(key, CHUNK_SIZE, "usual", 0);
    link.receive({ type: "busy", want: 0, wait: 0 }, 0);
    const windows = Array.from({ length: 40 }, (_, number) => {
      const at = number / 2;
      link.want(key, CHUNK_SIZE, "usual", at);
      for (const frame of framesOf(number + 1, chunk)) link.receive(frame, at + 0.05);
      return link.window;
    });
    const steps = [2, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6];
    expect(windows.slice(0, 12)).toStrictEqual(steps);
    expect([windows[18], windows[39]]).toStrictEqual([7, 12]);
  });

  it("is as many as were taken where others were refused", () => {
    for (let at = 0; at < 4; at++) link.want({ ...key, chunk: at }, CHUNK_SIZE, "spare", 0);
    const windows = [3, 1, 2, 0].map((want) => {
      link.receive({ type: "busy", want, wait: 0.1 }, 0);
      return link.window;
    });
    expect(windows).toStrictEqual([3, 2, 1, 1]);
  });

  it.each([
    [0.024, 0.024],
    [0.025, 1.01],
  ])("is asked again at once if what it took comes within %d s", (took, freeAt) => {
    for (let at = 0; at < 2; at++) link.want({ ...key, chunk: at }, CHUNK_SIZE, "spare", 0);
    link.receive({ type: "busy", want: 1, wait: 1 }, 0.01);
    for (const frame of framesOf(0, chunk)) link.receive(frame, took);
    expect(link.busyUntil).toBe(freeAt);
  });

  it("runs dry when half of what was asked for has come, and comes fast", () => {
    const dry = Array.from({ length: 20 }, (_, at) => {
      for (let one = 0; one < 2; one++) link.want(key, CHUNK_SIZE, "usual", 0);
      const { runsDry } = link;
      for (let one = 0; one < 2; one++) {
        for (const frame of framesOf(2 * at + one, chunk)) link.receive(frame, at < 10 ? 0.1 : 0);
      }
      return runsDry;
    });
    expect([dry.slice(0, 10).includes(true), dry[19]]).toStrictEqual([false, true]);
  });

  it.each([
    [1, 0.4], // a byte is no word of it
    [4_096, 4],
  ])("is given up when it drips, %d bytes at a time", (size, until) => {
    link.want(key, CHUNK_SIZE, "usual", 0);
    const payload = chunk.slice(0, size);
    for (let at = 0; link.inFlight && at < 100; at++) {
      if (at % 3 === 0) link.receive({ want: 0, offset: (at / 3) * size, payload }, at / 10);
      expect(at / 10).toBeLessThanOrEqual(until);
      link.onTimer(at / 10);
      if (!link.inFlight) expect(at / 10).toBeCloseTo(until, 9);
    }
    expect(link.takeEvents()).toStrictEqual([{ type: "WantFailed", key, reason: "timeout" }]);
  });

  it("takes no place among those that may still come when it was refused", () => {
    link.want(key, 10, "usual", 0);
    link.cancel(key);
    for (let want = 1; want <= 64; want++) {
      link.want(key, 10, "usual", 0);
      link.receive({ type: "busy", want, wait: 0 }, 0);
    }
    const payload = chunk.slice(0, 1);
    link.receive({ want: 0, offset: 0, payload }, 0);
    expect([link.wasted, link.state]).toStrictEqual([1, "up"]);
    link.receive({ want: 1, offset: 0, payload }, 0);
    expect(link.state).toBe("over");
  });

  it("may still bring a part when the rest is missing", () => {
    link.want(key, 10, "usual", 0);
    link.receive({ type: "missing", want: 0 }, 0);
    link.receive({ want: 0, offset: 0, payload: chunk.slice(0, 1) }, 0);
    expect([link.wasted, link.state]).toStrictEqual([1, "up"]);
  });

  it("is believed until something was asked for and did not come", () => {
    expect(link.isCredible(100)).toBe(true);
    link.want(key, CHUNK_SIZE, "usual", 100);
    expect([link.isCredible(101.9), link.isCredible(102)]).toStrictEqual([true, false]);
    link.received = 1;
    expect(link.isCredible(102)).toBe(true);
  });

  it("may be given another while", () => {
    link.want(key, CHUNK_SIZE, "usual", 0);
    const at = link.alarm;
    expect(link.late(at)).toStrictEqual([0]);
    link.bearWith(at);
    expect([link.late(at), link.alarm, link.takeEvents()]).toStrictEqual([[], 2 * at, []]);
  });

  it.each([
    ["busy", { type: "busy", want: 0, wait: 1 }, 1],
    ["busy", { type: "busy", want: 0, wait: 1000 }, 2],
    ["missing", { type: "missing", want: 0 }, 0],
  ] as const)("may be refused: %s", (reason, message, busyUntil) => {
    link.want(key, CHUNK_SIZE, "usual", 0);
    link.receive(message, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "WantFailed", key, reason }]);
    expect(link.busyUntil).toBe(busyUntil);
  });

  it("is given up when nothing comes, ever later", () => {
    const patience = [1, 2, 3, 4, 5].map(() => {
      link.want(key, CHUNK_SIZE, "usual", 0);
      const at = link.timerAt() ?? NaN;
      link.onTimer(at);
      link.receive({ type: "have", holdings: [] }, at); // slow, but there
      return at;
    });
    expect(link.rate).toBe(250_000 / 2 ** 5);
    expect(patience.map((at) => Math.round(at * 10))).toStrictEqual([4, 8, 16, 20, 20]);
    const failures = link.takeEvents().filter(({ type }) => type === "WantFailed");
    expect(failures).toHaveLength(5);
    expect(said(link).at(-1)).toStrictEqual({ type: "cancel", want: 4 });
  });

  it("ends the link when it fails three times without a word", () => {
    for (let now = 0; now < 9 && link.state === "up"; now += 3) {
      link.want(key, CHUNK_SIZE, "usual", now);
      link.onTimer(link.timerAt() ?? NaN);
    }
    expect(kinds(link.takeEvents())).toStrictEqual(["WantFailed", "WantFailed", "WantFailed", "Ended"]);
    expect(said(link).at(-1)).toMatchObject({ type: "bye", code: "timeout" });
  });

  it("is waste when it comes after it was cancelled, and no more than its chunk", () => {
    link.want(key, FRAME_PAYLOAD, "usual", 0);
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
      "frames that overlap, and leave a hole",
      [
        { want: 0, offset: 0, payload: chunk.slice(0, 60) },
        { want: 0, offset: 50, payload: chunk.slice(0, 40) },
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
    link.want(key, 100, "usual", 0);
    link.takeMessages();
    for (const frame of frames) link.receive(frame, 0);
    expect(said(link)).toMatchObject([{ type: "bye", code: "bad_frame" }]);
    expect(kinds(link.takeEvents())).toStrictEqual(["WantFailed", "Ended"]);
  });
});

describe("what they want", () => {
  const wanted = (want: number, more = {}): void => {
    link.receive({ type: "want", want, ...key, spare: false, soon: false, imports: false, era: 0, ...more }, 0);
  };

  it.each([
    [{ spare: true }, "spare"],
    [{}, "usual"],
    [{ soon: true }, "soon"],
    [{ spare: true, soon: true }, "soon"],
    [{ soon: true, imports: true }, "imports"],
  ])("matters so much: %o", (more, need) => {
    wanted(0, more);
    expect(link.takeEvents()).toStrictEqual([{ type: "Wanted", want: 0, key, need, era: 0 }]);
  });

  it("waits here until it is taken, frame by frame, and may be cancelled", () => {
    for (const want of [0, 1]) link.supply(want, key, chunk, "usual");
    expect(link.owed).toBe(2 * CHUNK_SIZE);
    expect(link.nextFrame()?.want).toBe(0);
    expect([link.owed, link.sent]).toStrictEqual([2 * CHUNK_SIZE - FRAME_PAYLOAD, FRAME_PAYLOAD]);
    link.receive({ type: "cancel", want: 1 }, 0);
    expect(link.owed).toBe(CHUNK_SIZE - FRAME_PAYLOAD);
    expect(framesOwed(link).map(({ want }) => want)).toStrictEqual([0, 0, 0]);
    expect([link.owed, link.sent, link.takeMessages()]).toStrictEqual([0, CHUNK_SIZE, []]);
  });

  it("goes before what has not begun, if it is due soon", () => {
    for (const want of [0, 1]) link.supply(want, key, chunk.slice(0, 10), "usual");
    for (const want of [2, 3]) link.supply(want, key, chunk.slice(0, 10), "soon");
    expect(framesOwed(link).map(({ want }) => want)).toStrictEqual([2, 3, 0, 1]);
  });

  it("goes before all that has not begun, if it is brought into a network", () => {
    link.supply(0, key, chunk, "soon");
    link.supply(1, key, chunk, "usual");
    expect([link.nextFrame()?.want, link.imports]).toStrictEqual([0, false]);
    link.supply(2, key, chunk.slice(0, 10), "imports");
    const wants = framesOwed(link).map(({ want }) => want);
    expect([...new Set(wants)]).toStrictEqual([0, 2, 1]);
    link.supply(3, key, chunk, "imports");
    expect(link.imports).toBe(true);
  });

  it("is refused for so many seconds", () => {
    link.refuse(5, 0.123_456);
    expect(said(link)).toStrictEqual([{ type: "busy", want: 5, wait: 0.123 }]);
  });

  it("is refused when we lack it", () => {
    link.lack(5);
    expect(said(link)).toStrictEqual([{ type: "missing", want: 5 }]);
  });

  it.each([
    ["seventeen at once", [...Array(17).keys()], "too_many"],
    ["one number twice", [0, 1, 2, 2], "unexpected"],
  ])("ends the link: %s", (_, wants, code) => {
    for (const want of wants) {
      expect(link.state).toBe("up");
      wanted(want);
      if (link.state === "up") link.supply(want, key, chunk.slice(0, 10), "usual");
    }
    expect(said(link).at(-1)).toMatchObject({ type: "bye", code });
  });
});

describe("announcements", () => {
  it("of the other end are handed on", () => {
    const message = { type: "gone", holdings: [] } as const;
    link.receive(message, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "Announced", message }]);
  });

  it("of records are handed on, too", () => {
    const records = { type: "records", page: {}, hashes: "" } as unknown as Records;
    link.receive(records, 0);
    expect(link.takeEvents()).toStrictEqual([{ type: "Told", records }]);
  });

  it("go where somebody collects them", () => {
    const messages: Outgoing[] = [];
    const fresh = new Link(3, hello, 0, messages);
    expect(messages).toStrictEqual([{ type: "TellLink", link: 3, message: hello }]);
    expect([fresh.takeMessages().length, messages.length]).toStrictEqual([1, 0]);
  });
});

describe("the end", () => {
  it.each([
    [{ type: "bye", code: null, detail: "" }, "closed"],
    [{ type: "bye", code: "internal", detail: "" }, "protocol"],
  ] as const)("is said: %o", (bye, reason) => {
    link.want(key, 10, "usual", 0);
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
