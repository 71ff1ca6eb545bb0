/** How the page comes to know what it shows, with a stream and answers made up. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Board } from "../../dashboard/board";
import { noFigures } from "../../dashboard/figures";
import { rangeOf } from "../../dashboard/ranges";

class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static last: Stream;
  readyState = 1;

  constructor(readonly url: string) {
    super();
    Stream.last = this;
  }

  say(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) }));
  }

  end(readyState: number): void {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
}

const EVENT = { summary: { viewers: 2 }, series: [], nodes: 3, site: "pk_demo", price: null };

let board: Board;
let changes: number;
let asked: string[];
let answer: (url: string) => Response | Promise<Response>;

function series(origin_bytes: number): Response {
  const total = { ...noFigures(), origin_bytes, rebuffer_ratio: 0.5 };
  const point = { ...noFigures(), at: 1000, origin_bytes, seconds: 10 };
  return Response.json({ step: 10, as_of: 1010, total, points: [point] });
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Stream);
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return answer(url);
  });
  [changes, asked] = [0, []];
  answer = (url) => (url.includes("/series") ? series(7) : Response.json({}));
  board = new Board("", () => (changes += 1));
  board.follow();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the board", () => {
  it("is live with each event, and says when none come", async () => {
    expect(board.state).toBe("waiting");
    Stream.last.say(EVENT);
    expect([board.state, board.summary?.viewers, board.site]).toStrictEqual(["live", 2, "pk_demo"]);
    expect(changes).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(board.state).toBe("live");
    await vi.advanceTimersByTimeAsync(200);
    expect(board.state).toBe("quiet");
  });

  it("asks for what was before at the first event, and again", async () => {
    Stream.last.say(EVENT);
    Stream.last.say(EVENT);
    await vi.advanceTimersByTimeAsync(0);
    const paths = asked.map((url) => url.split(/[?]/)[0]);
    expect(paths).toStrictEqual(
      ["series", "contents", "networks", "failures"].map((path) => `/api/v1/${path}`),
    );
    expect(board.history.total(900).origin_bytes).toBe(7);
    expect(board.quality?.rebuffer_ratio).toBe(0.5);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(asked).toHaveLength(8);
  });

  it("asks again where a server comes back", async () => {
    Stream.last.say(EVENT);
    await vi.advanceTimersByTimeAsync(0);
    Stream.last.end(0);
    expect(board.state).toBe("lost");
    Stream.last.dispatchEvent(new Event("open"));
    Stream.last.say(EVENT);
    await vi.advanceTimersByTimeAsync(0);
    expect(board.state).toBe("live");
    expect(asked).toHaveLength(8);
  });

  it("takes an answer for the range that it was asked for, alone", async () => {
    let late: (answer: Response) => void = () => undefined;
    answer = () => new Promise((resolve) => (late = resolve));
    Stream.last.say(EVENT);
    answer = (url) => (url.includes("/series") ? series(9) : Response.json({}));
    board.choose(rangeOf("#1h"));
    await vi.advanceTimersByTimeAsync(0);
    late(series(100));
    await vi.advanceTimersByTimeAsync(0);
    expect(board.history.total(3600).origin_bytes).toBe(9);
  });

  it("opens a new stream where an answer was none, and says why if it knows", async () => {
    const first = Stream.last;
    answer = () => new Response("", { status: 401 });
    first.end(Stream.CLOSED);
    await vi.advanceTimersByTimeAsync(0);
    expect(board.state).toBe("refused");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(Stream.last).not.toBe(first);
    Stream.last.say(EVENT);
    expect(board.state).toBe("live");
  });

  it("does with what the stream says, where there is no answer", async () => {
    answer = () => Promise.reject(new TypeError("offline"));
    Stream.last.say(EVENT);
    await vi.advanceTimersByTimeAsync(0);
    expect(board.state).toBe("live");
    expect(board.contents).toStrictEqual([]);
  });

  it("gives addresses of the range, by the server's clock", () => {
    vi.setSystemTime(1_000_000_000);
    expect(board.url("contents", "csv")).toBe("/api/v1/contents?from=999100&to=1000001&format=csv");
    expect(board.url("series")).toBe("/api/v1/series?from=999100&to=1000001&step=10");
  });
});
