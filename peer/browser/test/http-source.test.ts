/** Bytes by `fetch`, as they come, or a reason. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { fetchSource, type RangeRequest, type RangeSink } from "../src/http-source";

const URL = "https://cdn.example/media/seg7.ts";
const WHOLE: RangeRequest = { url: URL, range: undefined, fresh: false };

/** An answer whose body the test writes. */
class Answer {
  private control!: ReadableStreamDefaultController<Uint8Array>;
  readonly response: Response;

  constructor(status = 200) {
    const start = (control: ReadableStreamDefaultController<Uint8Array>): void => {
      this.control = control;
    };
    this.response = new Response(new ReadableStream({ start }), { status });
  }

  write(...bytes: number[]): void {
    this.control.enqueue(new Uint8Array(bytes));
  }

  end(): void {
    this.control.close();
  }

  breakOff(): void {
    this.control.error(new TypeError("network"));
  }
}

const fetched = vi.fn<typeof fetch>();
const sink = {
  data: vi.fn<RangeSink["data"]>(),
  lost: vi.fn<RangeSink["lost"]>(),
  done: vi.fn<RangeSink["done"]>(),
  failed: vi.fn<RangeSink["failed"]>(),
};

/** Lets streams and promises do what they can do without waiting for anything. */
async function settle(): Promise<void> {
  for (let at = 0; at < 50; at++) await Promise.resolve();
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("fetch", fetched);
  vi.clearAllMocks();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a request", () => {
  it("hands bytes on as they come, and says how long it took", async () => {
    const answer = new Answer();
    let head!: (response: Response) => void;
    fetched.mockReturnValueOnce(new Promise((resolve) => (head = resolve)));
    fetchSource(WHOLE, sink);
    vi.advanceTimersByTime(200);
    head(answer.response);
    await settle();
    answer.write(1, 2);
    await settle();
    expect(sink.data).toHaveBeenLastCalledWith(new Uint8Array([1, 2]));
    vi.advanceTimersByTime(300);
    answer.write(3);
    answer.end();
    await settle();
    expect(sink.data).toHaveBeenLastCalledWith(new Uint8Array([3]));
    expect(sink.done).toHaveBeenCalledExactlyOnceWith(0.2, 0.5);
    expect(sink.failed).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("asks for a range as HTTP writes it", async () => {
    fetched.mockResolvedValueOnce(new Answer(206).response);
    fetchSource({ ...WHOLE, range: [65_536, 131_071] }, sink);
    await settle();
    expect(fetched.mock.lastCall?.[1]?.headers).toStrictEqual({ Range: "bytes=65536-131071" });
    expect(sink.failed).not.toHaveBeenCalled();
  });

  it.each([
    ["a whole file for a range", 200, [0, 9] as const],
    ["a range for a whole file", 206, undefined],
    ["an error", 404, undefined],
  ])("does not take %s", async (_, status, range) => {
    fetched.mockResolvedValueOnce(new Answer(status).response);
    fetchSource({ ...WHOLE, range }, sink);
    await settle();
    expect(sink.failed).toHaveBeenCalledExactlyOnceWith("status");
    expect(fetched.mock.lastCall?.[1]?.signal?.aborted).toBe(true);
  });

  it("that can't be made is unreachable", async () => {
    fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    fetchSource(WHOLE, sink);
    await settle();
    expect(sink.failed).toHaveBeenCalledExactlyOnceWith("unreachable");
  });

  it("that breaks off is unreachable, after what it brought", async () => {
    const answer = new Answer();
    fetched.mockResolvedValueOnce(answer.response);
    fetchSource(WHOLE, sink);
    answer.write(1);
    await settle();
    answer.breakOff();
    await settle();
    expect(sink.data).toHaveBeenCalledOnce();
    expect(sink.failed).toHaveBeenCalledExactlyOnceWith("unreachable");
  });

  it("is given up when nothing comes for ten seconds", async () => {
    fetched.mockImplementationOnce((_, init) => refusedBy(init?.signal));
    fetchSource(WHOLE, sink);
    vi.advanceTimersByTime(9_999);
    await settle();
    expect(sink.failed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    await settle();
    expect(sink.failed).toHaveBeenCalledExactlyOnceWith("timeout");
  });

  it("says nothing more once it is aborted", async () => {
    fetched.mockImplementationOnce((_, init) => refusedBy(init?.signal));
    const abort = fetchSource(WHOLE, sink);
    abort();
    await settle();
    expect(sink.failed).not.toHaveBeenCalled();
    expect(sink.done).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the browser's cache", () => {
  it("is used by a request alone, and passed by where it would queue requests", () => {
    const url = `${URL}?twice`;
    fetched.mockResolvedValue(new Answer().response);
    fetchSource({ ...WHOLE, url }, sink);
    fetchSource({ ...WHOLE, url }, sink);
    fetchSource({ ...WHOLE, url: `${URL}?other` }, sink);
    expect(modes()).toStrictEqual(["default", "no-store", "default"]);
  });

  it("is passed by for ranges, for which other tabs may queue", () => {
    fetched.mockResolvedValue(new Answer(206).response);
    fetchSource({ url: `${URL}?part`, range: [0, 9], fresh: false }, sink);
    expect(modes()).toStrictEqual(["no-store"]);
  });

  it("is passed by when it gave something wrong", () => {
    fetched.mockResolvedValue(new Answer().response);
    fetchSource({ ...WHOLE, url: `${URL}?fresh`, fresh: true }, sink);
    expect(modes()).toStrictEqual(["reload"]);
  });

  it("is used again once the other request is over", async () => {
    const url = `${URL}?later`;
    const answer = new Answer();
    fetched.mockResolvedValueOnce(answer.response);
    fetched.mockResolvedValueOnce(new Answer().response);
    fetchSource({ ...WHOLE, url }, sink);
    answer.end();
    await settle();
    fetchSource({ ...WHOLE, url }, sink);
    expect(modes()).toStrictEqual(["default", "default"]);
  });
});

function modes(): (RequestCache | undefined)[] {
  return fetched.mock.calls.map(([, init]) => init?.cache);
}

/** As `fetch` does with a signal. */
function refusedBy(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => {
      reject(signal.reason as Error);
    });
  });
}
