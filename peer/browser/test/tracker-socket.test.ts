/** The tracker's socket: opened again with patience, and never a burden to the page. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Input } from "../src/core/ports";
import { TrackerSocket } from "../src/tracker-socket";

class FakeSocket {
  static readonly OPEN = 1;
  static readonly made: FakeSocket[] = [];
  readyState = 0;
  closed = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: string[] = [];

  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
  }
}

const URL = "wss://cdn.example/tracker/v1";
let told: Input[];
let tracker: TrackerSocket;

function socket(number: number): FakeSocket {
  const found = FakeSocket.made[number];
  if (!found) throw new Error(`no socket ${number}`);
  return found;
}

/** The tracker says something, so it is there. */
function welcome(number: number): void {
  const joined = { type: "joined", peer: "00112233aabbccdd", peers: 3 };
  socket(number).onmessage?.({ data: JSON.stringify(joined) });
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.made.length = 0;
  told = [];
  tracker = new TrackerSocket(URL, (input) => told.push(input));
  tracker.open();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a socket that works", () => {
  it("is opened once, and says what it hears", () => {
    tracker.open();
    expect(FakeSocket.made).toHaveLength(1);
    const message = { type: "joined", peer: "00112233aabbccdd", peers: 3, expires: null, mode: "any", relays: null, mac: null };
    socket(0).onmessage?.({ data: JSON.stringify(message) });
    expect(told).toStrictEqual([{ type: "TrackerSays", message }]);
  });

  it("sends once it is open, and not before", () => {
    tracker.say({ type: "leave" });
    socket(0).readyState = FakeSocket.OPEN;
    tracker.say({ type: "leave" });
    expect(socket(0).sent).toStrictEqual(['{"type":"leave"}']);
  });

  it.each([
    ["no JSON", "{"],
    ["no message of ours", '{"type":"hug"}'],
    ["bytes", new Uint8Array()],
  ])("is closed when it says %s", (_, data) => {
    socket(0).onmessage?.({ data });
    expect(socket(0).closed).toBe(true);
    expect(told).toStrictEqual([{ type: "TrackerDown" }]);
  });
});

describe("a socket that is lost", () => {
  it("is opened again after pauses that double, up to a minute", () => {
    const pauses = [];
    for (let at = 0; at < 9; at++) {
      socket(at).onclose?.();
      const since = Date.now();
      vi.advanceTimersToNextTimer();
      pauses.push((Date.now() - since) / 1_000);
    }
    expect(pauses).toStrictEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((pause) => pause * 1.25));
    expect(told).toHaveLength(9);
  });

  it("begins with short pauses again after it has worked for a while", () => {
    for (let at = 0; at < 4; at++) {
      socket(at).onclose?.();
      vi.advanceTimersToNextTimer();
    }
    welcome(4);
    vi.advanceTimersByTime(31_000);
    socket(4).onclose?.();
    vi.advanceTimersByTime(1_250);
    expect(FakeSocket.made).toHaveLength(6);
  });

  it("is given up when nobody says anything in it", () => {
    vi.advanceTimersByTime(9_999);
    expect(socket(0).closed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket(0).closed).toBe(true);
    expect(told).toStrictEqual([{ type: "TrackerDown" }]);
  });

  it("stays closed once nobody wants it", () => {
    socket(0).onclose?.();
    tracker.close();
    vi.advanceTimersByTime(1_000_000);
    expect(FakeSocket.made).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("comes back when it was told to, not earlier", () => {
    tracker.drop(30);
    expect(socket(0).closed).toBe(true);
    expect(told).toStrictEqual([{ type: "TrackerDown" }]);
    vi.advanceTimersByTime(30_000);
    expect(FakeSocket.made).toHaveLength(1);
    vi.advanceTimersByTime(15_000);
    expect(FakeSocket.made).toHaveLength(2);
  });

  it("comes back with patience when it was told nothing", () => {
    for (let at = 0; at < 4; at++) {
      tracker.drop();
      vi.advanceTimersToNextTimer();
    }
    tracker.drop(null);
    vi.advanceTimersByTime(16_000);
    expect(FakeSocket.made).toHaveLength(5);
    vi.advanceTimersByTime(8_000);
    expect(FakeSocket.made).toHaveLength(6);
  });

  it("is not asked for again where the page may not open it", () => {
    vi.stubGlobal("WebSocket", function () {
      throw new Error("SecurityError");
    });
    expect(() => {
      new TrackerSocket(URL, (input) => told.push(input)).open();
    }).not.toThrow();
    expect(told).toStrictEqual([]);
  });
});

describe("a socket that is sent to another node", () => {
  const NODE = "wss://b.example/tracker/v1";
  const urls = (): string[] => FakeSocket.made.map(({ url }) => url);

  beforeEach(() => {
    welcome(0);
    told.length = 0;
  });

  it("closes, and opens there at once", () => {
    tracker.move(NODE, null);
    expect(socket(0).closed).toBe(true);
    expect(told).toStrictEqual([{ type: "TrackerDown" }]);
    vi.advanceTimersByTime(0);
    expect(urls()).toStrictEqual([URL, NODE]);
    expect(tracker.url).toBe(NODE);
  });

  it("opens there when it was told to", () => {
    tracker.move(NODE, 2);
    vi.advanceTimersByTime(1_999);
    expect(FakeSocket.made).toHaveLength(1);
    vi.advanceTimersByTime(501);
    expect(urls()).toStrictEqual([URL, NODE]);
  });

  it("stays with that node, and goes home once it is gone", () => {
    tracker.move(NODE, null);
    vi.advanceTimersByTime(0);
    welcome(1);
    socket(1).onclose?.();
    vi.advanceTimersByTime(1_250);
    socket(2).onclose?.();
    vi.advanceTimersByTime(2_500);
    expect(urls()).toStrictEqual([URL, NODE, NODE, URL]);
  });

  it("goes home when it is refused there", () => {
    tracker.move(NODE, null);
    vi.advanceTimersByTime(0);
    welcome(1);
    tracker.drop(3);
    vi.advanceTimersByTime(3_750);
    expect(urls()).toStrictEqual([URL, NODE, URL]);
  });

  it("goes home when nobody answers there", () => {
    tracker.move(NODE, null);
    vi.advanceTimersByTime(10_000);
    expect(socket(1).closed).toBe(true);
    vi.advanceTimersByTime(1_250);
    expect(urls()).toStrictEqual([URL, NODE, URL]);
  });

  it("does not wait again for a node that it could not reach", () => {
    tracker.move(NODE, null);
    vi.advanceTimersByTime(11_250);
    welcome(2);
    tracker.move(NODE, null);
    vi.advanceTimersByTime(0);
    expect(urls()).toStrictEqual([URL, NODE, URL, URL]);
  });

  it("goes again to a node that it has reached before", () => {
    tracker.move(NODE, null);
    vi.advanceTimersByTime(0);
    welcome(1);
    socket(1).onclose?.();
    vi.advanceTimersByTime(1_250);
    socket(2).onclose?.(); // the node is gone
    vi.advanceTimersByTime(2_500);
    tracker.move(NODE, null);
    vi.advanceTimersByTime(0);
    expect(urls()).toStrictEqual([URL, NODE, NODE, URL, NODE]);
  });

  it("goes home when the page may not go there", () => {
    vi.stubGlobal("WebSocket", function (url: string) {
      if (url === NODE) throw new Error("SecurityError");
      return new FakeSocket(url);
    });
    tracker.move(NODE, null);
    vi.advanceTimersByTime(1_250);
    expect(urls()).toStrictEqual([URL, URL]);
  });

  it("does not go where it would be less protected", () => {
    tracker.move(NODE.replace("wss:", "ws:"), null);
    vi.advanceTimersByTime(1_250);
    expect(urls()).toStrictEqual([URL, URL]);
  });

  it("stays closed once nobody wants it", () => {
    tracker.move(NODE, 1);
    tracker.close();
    vi.advanceTimersByTime(100_000);
    expect(urls()).toStrictEqual([URL]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a socket whose content is known", () => {
  const CONTENT = "0123456789abcdef".repeat(2);

  it("says so in its path when it is opened again", () => {
    tracker.aim(CONTENT);
    expect(FakeSocket.made).toHaveLength(1);
    socket(0).onclose?.();
    vi.advanceTimersByTime(1_250);
    expect(FakeSocket.made.map(({ url }) => url)).toStrictEqual([URL, `${URL}/${CONTENT}`]);
  });

  it("leaves an address of another kind as it is", () => {
    const url = `${URL}?key=1`;
    tracker = new TrackerSocket(url, (input) => told.push(input));
    tracker.aim(CONTENT);
    tracker.open();
    expect(FakeSocket.made.at(-1)?.url).toBe(url);
  });

  it("stays where it was sent to, and comes back by its path", () => {
    tracker.move("wss://b.example/tracker/v1", null);
    tracker.aim(CONTENT);
    vi.advanceTimersByTime(0);
    expect(FakeSocket.made.at(-1)?.url).toBe("wss://b.example/tracker/v1");
    tracker.drop();
    vi.advanceTimersByTime(5_000);
    expect(FakeSocket.made.at(-1)?.url).toBe(`${URL}/${CONTENT}`);
  });
});

describe("a socket in the clear", () => {
  it("may be sent where it is protected, and back", () => {
    tracker = new TrackerSocket("ws://a.example/tracker/v1", (input) => told.push(input));
    tracker.open();
    for (const url of ["wss://b.example/tracker/v1", "ws://c.example/tracker/v1"]) {
      tracker.move(url, null);
      vi.advanceTimersByTime(0);
      expect(FakeSocket.made.at(-1)?.url).toBe(url);
    }
  });
});
