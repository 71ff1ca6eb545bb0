/** The loop, with a real node between a make-believe player, origin and tracker. */

import { createHash, generateKeyPairSync, sign, webcrypto } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Node } from "../src/core/node";
import type { Mode } from "../src/core/ports";
import type { Transfers } from "../src/core/transfers";
import { Endpoint } from "../src/endpoint";
import type { RangeSink, Source } from "../src/http-source";
import { Meters } from "../src/meters";
import { CHUNK_SIZE, joined, type Bytes, type SegmentKey } from "../src/model";
import type { Player, Whereabouts } from "../src/player";
import { Runner, type Asker, type Notice, type RunnerOptions } from "../src/runner";
import { Stopwatch } from "../src/stats";
import type { TokenSource } from "../src/tokens";
import { rootInput, signedBytes, toBase64, type Records } from "../src/wire/manifest";
import type { RenditionManifest } from "../src/wire/manifest";
import type { Join } from "../src/wire/tracker";

const CONTENT = "00112233445566778899aabbccddeeff";
const RENDITION = "demo/480p.m3u8";
const LENGTH = CHUNK_SIZE + 1_000;
const SEGMENTS = 4;

function sha256(data: Uint8Array): Buffer {
  return createHash("sha256").update(data).digest();
}

function media(sequence: number): Bytes {
  return new Uint8Array(LENGTH).fill(sequence + 1);
}

function hashesOf(sequence: number): Bytes[] {
  const data = media(sequence);
  const chunks = [data.subarray(0, CHUNK_SIZE), data.subarray(CHUNK_SIZE)];
  return chunks.map((chunk) => new Uint8Array(sha256(chunk)));
}

function page(first = 0, last = SEGMENTS - 1): RenditionManifest {
  const segments = Array.from({ length: last - first + 1 }, (_, at) => {
    const sequence = first + at;
    const preimage = rootInput(CONTENT, RENDITION, sequence, LENGTH, hashesOf(sequence));
    const root = sha256(preimage).toString("hex");
    const uri = `seg${sequence}.ts`;
    return { sequence, uri, length: LENGTH, root, duration: 2_000, offset: 0 };
  });
  return {
    type: "rendition",
    version: 1,
    site: "pk_demo",
    content: CONTENT,
    rendition: RENDITION,
    chunk_size: CHUNK_SIZE,
    live: false,
    time: 1,
    first: 0,
    last,
    segments,
    era: 0,
    signatures: [],
    keys: [],
  };
}

/** The origin's manifests. */
const origin = vi.fn((url: string): Response => {
  const { searchParams } = new URL(url);
  const hashes = searchParams.get("hashes");
  if (hashes === null) return Response.json(page());
  const [first = 0, last = 0] = hashes.split("-").map(Number);
  const lists = [];
  for (let at = first; at <= last; at++) lists.push(...hashesOf(at));
  return new Response(new Blob(lists));
});

class FakePlayer implements Player {
  where: Whereabouts = {
    rendition: RENDITION,
    head: 0,
    last: 3,
    buffer: 0,
    live: false,
    target: undefined,
  };
  readonly asked: { url: string; sink: RangeSink; aborted: boolean }[] = [];

  whereabouts = (): Whereabouts => this.where;
  locate: Player["locate"] = ({ sequence }) => ({
    url: `https://cdn.example/media/demo/seg${sequence}.ts`,
    offset: 0,
    whole: true,
  });
  release = vi.fn();
  source = (): Source => (request, sink) => {
    const asked = { url: request.url, sink, aborted: false };
    this.asked.push(asked);
    return () => (asked.aborted = true);
  };
}

class FakeSocket {
  static readonly OPEN = 1;
  static last: FakeSocket | undefined;
  readyState = 1;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  readonly sent: { type: string }[] = [];

  constructor(readonly url: string) {
    FakeSocket.last = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as { type: string });
  }

  close(): void {
    this.closed = true;
  }

  says(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** Connections that never come about. */
class FakeConnection {
  static made: unknown[] = [];
  static closed = 0;

  constructor(options: unknown) {
    FakeConnection.made.push(options);
  }

  createDataChannel = () => ({ close: vi.fn() });
  createOffer = () => new Promise(() => undefined);
  close = vi.fn(() => FakeConnection.closed++);
}

const WELCOME = {
  type: "welcome",
  protocol: 1,
  nonce: "0".repeat(32),
  limits: { message_bytes: 65_536, messages_per_second: 20, links: 16 },
  report_every: 10,
  stun: "stun::8080",
};

const OUTCOME = { cached: false, ttfb: 0.1, took: 0.2 };

const asker = {
  ready: vi.fn<Asker["ready"]>(),
  failed: vi.fn<Asker["failed"]>(),
  progress: vi.fn<Asker["progress"]>(),
};
const sendBeacon = vi.fn<(url: string | URL, body: string) => boolean>();
const notice = vi.fn<(notice: Notice) => void>();
const crashed = vi.fn<(error: unknown) => void>();
let player: FakePlayer;
let runner: Runner;

function made(options: Partial<RunnerOptions> = {}): Runner {
  return new Runner({
    endpoint: Endpoint.of("https://cdn.example/p2pcdn.js"),
    site: undefined,
    path: RENDITION,
    player,
    meters: new Meters(),
    stopwatch: new Stopwatch(),
    beginning: Promise.resolve(),
    opening: Promise.resolve(),
    notice,
    crashed,
    ...options,
  });
}

function key(sequence: number): SegmentKey {
  return { rendition: RENDITION, sequence };
}

function permit(p2p: boolean, mode: Mode = "any"): void {
  runner.allow({ p2p, upload: true, mode, caps: {} });
}

function node(): Node {
  return (runner as unknown as { _node: Node })._node;
}

/** Waits until the check holds; a busy machine may take its time. */
async function until(check: () => void): Promise<void> {
  await vi.waitFor(check, { timeout: 10_000 });
}

async function known(sequence: number): Promise<void> {
  await until(() => {
    expect(node().knows(key(sequence))).toBe(true);
  });
}

async function introduced(): Promise<void> {
  await runner.introduce(RENDITION, 0);
  await known(3);
  player.asked.length = 0;
}

beforeEach(() => {
  sendBeacon.mockClear();
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("crypto", webcrypto);
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("RTCPeerConnection", FakeConnection);
  vi.stubGlobal("location", { href: "https://page.example/" });
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  vi.stubGlobal("navigator", { sendBeacon });
  vi.stubGlobal("fetch", (url: URL) => Promise.resolve(origin(url.href)));
  vi.clearAllMocks();
  FakeConnection.made = [];
  FakeConnection.closed = 0;
  FakeSocket.last = undefined;
  player = new FakePlayer();
  runner = made();
  permit(true);
});
afterEach(() => {
  runner.close();
  vi.unstubAllGlobals();
});

describe("the beginning", () => {
  it("learns the content by the manifest, while the tracker's socket opens", async () => {
    FakeSocket.last?.says(WELCOME);
    expect(FakeSocket.last?.sent).toStrictEqual([]);
    await introduced();
    await until(() => {
      const join = { type: "join", site: "pk_demo", content: CONTENT, client: "browser" };
      expect(FakeSocket.last?.sent).toMatchObject([join]);
    });
  });

  it("asks the tracker's own host for our address", async () => {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    const iceServers = [{ urls: "stun:cdn.example:8080" }];
    await until(() => {
      expect(FakeConnection.made).toStrictEqual([{ iceServers, iceTransportPolicy: "all" }]);
    });
  });

  it("asks nobody for our address where only the local network is allowed", async () => {
    permit(true, "lan");
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeConnection.made).toMatchObject([{ iceServers: [] }]);
    });
  });

  it("takes the site's relays where the site wants that, and asks nobody for our address", async () => {
    permit(true, "relay");
    await introduced();
    FakeSocket.last?.says(WELCOME);
    expect(FakeSocket.last?.sent).toMatchObject([{ type: "join", mode: "relay" }]);
    expect(FakeConnection.made).toStrictEqual([]);
    const relays = { urls: ["turn:turn.example:3478"], username: "1:a", credential: "b" };
    const joined = { type: "joined", peer: "0".repeat(16), peers: 0, mode: "relay", relays };
    FakeSocket.last?.says(joined);
    const options = { iceServers: [relays], iceTransportPolicy: "relay" };
    await until(() => {
      expect(FakeConnection.made).toStrictEqual([options]);
    });
    permit(true, "any");
    await Promise.resolve();
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeConnection.made).toHaveLength(2);
    });
    expect(FakeConnection.made).toMatchObject([options, { iceTransportPolicy: "all" }]);
  });

  it("leaves and joins anew in another mode", async () => {
    await introduced();
    const before = FakeSocket.last;
    before?.says(WELCOME);
    before?.says({ type: "joined", peer: "0".repeat(16), peers: 0 });
    permit(true, "any");
    expect(before?.closed).toBe(false);
    permit(true, "network");
    expect(before?.sent.at(-1)).toStrictEqual({ type: "leave" });
    expect(before?.closed).toBe(true);
    await Promise.resolve();
    expect(FakeSocket.last).not.toBe(before);
  });

  describe("that waits for its time", () => {
    let begin: () => void;

    beforeEach(() => {
      runner.close();
      FakeSocket.last = undefined;
      origin.mockClear();
      const beginning = new Promise<void>((resolve) => (begin = resolve));
      runner = made({ beginning });
      permit(true);
    });

    it("asks nobody, and has demands wait that can", async () => {
      void runner.introduce(RENDITION, 0);
      expect(runner.takes(2)).toBe(true);
      runner.demand(key(1), 2, asker);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(FakeSocket.last).toBeUndefined();
      expect(origin).not.toHaveBeenCalled();
      begin();
      await known(3);
      expect(FakeSocket.last).toBeDefined();
      expect(asker.failed).not.toHaveBeenCalled();
    });

    it.each(["forbidden", "over"])("asks nobody if it is %s by then", async (what) => {
      const introduced = runner.introduce(RENDITION, 0);
      if (what === "over") runner.close();
      else permit(false);
      begin();
      await introduced;
      expect(FakeSocket.last).toBeUndefined();
      expect(origin).not.toHaveBeenCalled();
    });
  });

  it("learns the content as soon as that is allowed", async () => {
    permit(false);
    await runner.introduce(RENDITION, 0);
    expect(node()).toBeUndefined();
    permit(true);
    await known(3);
  });

  it("tells the node what the machine is at", async () => {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    FakeSocket.last?.says({ type: "joined", peer: "0".repeat(16), peers: 0 });
    const connection = Object.assign(new EventTarget(), { type: "cellular" });
    vi.stubGlobal("navigator", { connection });
    runner.close();
    runner = made();
    permit(true);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeSocket.last?.sent).toMatchObject([{ type: "join", upload: false }]);
    });
  });

  it("asks for nothing at all where peers are off", async () => {
    permit(false);
    await runner.introduce(RENDITION, 0);
    expect(origin).not.toHaveBeenCalled();
    expect(FakeSocket.last?.closed).toBe(true);
  });

  it("tries the tracker again only when there is something to join", async () => {
    const socket = FakeSocket.last;
    socket?.says(WELCOME);
    socket?.onclose?.();
    expect(FakeSocket.last).toBe(socket);
    await introduced();
    expect(FakeSocket.last).not.toBe(socket);
  });

  it("takes no manifest of another rendition", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    origin.mockImplementationOnce(() => Response.json({ ...page(), rendition: "other.m3u8" }));
    await runner.introduce(RENDITION, 0);
    FakeSocket.last?.says(WELCOME);
    expect(FakeSocket.last?.sent).toStrictEqual([]);
    vi.useRealTimers();
  });
});

describe("what stays elsewhere", () => {
  it("is known by a page that somebody else has got", async () => {
    await runner.meet(page());
    await known(3);
    const received = vi.spyOn(node(), "receive");
    const another = page(2, 3); // of another rendition, say
    await runner.meet(another);
    const told = { type: "ManifestArrived", page: another };
    expect(received).toHaveBeenCalledWith(told, expect.any(Number));
  });

  it("lies where the player's playlist says, and nowhere else", async () => {
    const { endpoint } = (runner as unknown as { _options: RunnerOptions })._options;
    endpoint.learn("https://films.example/a.m3u8?token=1", RENDITION);
    player.locate = () => undefined;
    await runner.meet(page());
    await known(3);
    runner.demand(key(0), 8, asker);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(player.asked).toStrictEqual([]);
  });
});

describe("a demand before we know what the content is", () => {
  it("what the player has loaded came when it came", async () => {
    void runner.introduce(RENDITION, 0);
    const clock = vi.spyOn(performance, "now");
    for (const sequence of [0, 1]) {
      clock.mockReturnValue(1_000 * sequence);
      runner.loaded(key(sequence), media(sequence), OUTCOME);
    }
    clock.mockRestore();
    await until(() => {
      expect(node().stats.originBytes).toBe(2 * LENGTH);
    });
    const { http } = (node() as unknown as { _transfers: Transfers })._transfers;
    expect(http.rate).toBeCloseTo(LENGTH / 0.1, 6);
  });

  it("is none of ours, unless that is about to be known and there is time", async () => {
    expect(runner.takes(9)).toBe(false);
    const introduced = runner.introduce(RENDITION, 0);
    expect([runner.takes(1), runner.takes(1.1)]).toStrictEqual([false, true]);
    await introduced;
    expect(runner.takes(0)).toBe(true);
  });

  it("waits for that, and is then one like any other", async () => {
    const introduced = runner.introduce(RENDITION, 0);
    runner.demand(key(0), 8, asker);
    runner.demand(key(1), 11, { ...asker });
    runner.release(key(1), asker); // of somebody else
    await introduced;
    await until(() => {
      const asked = player.asked.map(({ url }) => url.slice(-7));
      expect(asked.sort()).toStrictEqual(["seg0.ts", "seg1.ts"]); // as their hashes are checked
    });
  });

  it("is forgotten when it is taken back", async () => {
    const introduced = runner.introduce(RENDITION, 0);
    runner.demand(key(0), 8, asker);
    runner.release(key(0), asker);
    await introduced;
    await known(3);
    expect(player.asked).toStrictEqual([]);
  });

  it("is left to plain HTTP at once if the origin does not say what it is", async () => {
    origin.mockImplementationOnce(() => new Response(null, { status: 404 }));
    const introduced = runner.introduce(RENDITION, 0);
    runner.demand(key(0), 8, asker);
    await introduced;
    expect(asker.failed).toHaveBeenCalledExactlyOnceWith("missing");
    expect(runner.takes(9)).toBe(false);
  });

  it("is left to plain HTTP when the time is over", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    vi.stubGlobal("fetch", () => new Promise(() => undefined));
    void runner.introduce(RENDITION, 0);
    runner.demand(key(0), 8, asker);
    vi.advanceTimersByTime(6_900);
    expect(asker.failed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(asker.failed).toHaveBeenCalledExactlyOnceWith("missing");
    vi.useRealTimers();
  });
});

describe("a manifest", () => {
  it("of another content is as good as none, later on, too", async () => {
    await introduced();
    const content = CONTENT.replace("0", "f");
    origin.mockImplementationOnce(() => Response.json({ ...page(), content }));
    player.where = { ...player.where, head: 70, last: 80 };
    origin.mockClear();
    runner.moved();
    await until(() => {
      expect(origin).toHaveBeenCalled();
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(crashed).not.toHaveBeenCalled();
  });
});

describe("a verifier that does not work", () => {
  const digest = vi.spyOn(webcrypto.subtle, "digest");
  const saysOther = () => Promise.resolve(new ArrayBuffer(32));
  const BROKEN: [string, () => unknown][] = [
    ["throws", () => { throw new Error("no"); }],
    ["fails", () => Promise.reject(new Error("no"))],
    ["has nothing to say", () => undefined],
    ["never answers", () => new Promise(() => undefined)],
  ];
  const breaks = (how: () => unknown): void => {
    digest.mockImplementation(how as typeof webcrypto.subtle.digest);
  };

  beforeEach(() => {
    vi.spyOn(console, "info").mockReturnValue();
  });
  afterEach(() => {
    digest.mockReset();
    vi.useRealTimers();
  });

  it.each([...BROKEN, ["always says the same", saysOther] as const])(
    "means plain HTTP from the start if it %s",
    async (_, how) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      breaks(how);
      const socket = FakeSocket.last;
      const introduced = runner.introduce(RENDITION, 0);
      runner.demand(key(0), 20, asker);
      await vi.advanceTimersByTimeAsync(6_000);
      await introduced;
      expect(asker.failed).toHaveBeenCalledExactlyOnceWith("aborted");
      expect([runner.takes(20), socket?.closed]).toStrictEqual([false, true]);
    },
  );

  it.each(BROKEN)("means plain HTTP from now on if it %s", async (_, how) => {
    await introduced();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    runner.demand(key(0), 20, asker);
    breaks(how);
    const sent = { cached: false, ttfb: 0, took: 0 };
    expect(runner.loaded(key(1), media(1), sent)).toBe(true);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(asker.ready).not.toHaveBeenCalled();
    expect(asker.failed).toHaveBeenCalledExactlyOnceWith("aborted");
    expect([runner.takes(20), runner.figures().peerBytes]).toStrictEqual([false, 0]);
    expect(crashed).not.toHaveBeenCalled();
  });

  it("is asked again about what it slept through", async () => {
    await introduced();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    digest.mockImplementationOnce(() => new Promise(() => undefined));
    runner.loaded(key(1), media(1), OUTCOME);
    await vi.advanceTimersByTimeAsync(1_500);
    vi.useRealTimers();
    await until(() => {
      runner.demand(key(1), 20, asker);
      expect(asker.ready).toHaveBeenCalledWith(media(1));
    });
    expect(FakeSocket.last?.closed).toBe(false);
  });

  it("is asked again before the core's own patience ends", async () => {
    await introduced();
    const since = performance.now();
    vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "Date"] });
    const clock = vi.spyOn(performance, "now").mockImplementation(() => since + Date.now());
    const late = (data: Bytes) =>
      new Promise<ArrayBuffer>((resolve) => {
        const answer = new Uint8Array(sha256(data)).buffer;
        setTimeout(() => { resolve(answer); }, 1_400); // prettier-ignore
      });
    digest.mockImplementation((_, data) => late(data as Bytes));
    digest.mockImplementationOnce(() => new Promise(() => undefined));
    runner.loaded(key(1), media(1), OUTCOME);
    await vi.advanceTimersByTimeAsync(6_000);
    runner.demand(key(1), 20, asker);
    clock.mockRestore();
    expect(asker.ready).toHaveBeenCalledWith(media(1));
  });

  it("means plain HTTP if it has nothing to say of one and the same for the second time", async () => {
    await introduced();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    digest.mockImplementation((_, data) =>
      data.byteLength > 1
        ? new Promise(() => undefined)
        : Promise.resolve(new Uint8Array(sha256(data as Bytes)).buffer),
    );
    runner.loaded(key(1), media(1), OUTCOME);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(runner.takes(20)).toBe(false);
  });
});

describe("a tracker", () => {
  const refusal = (code: string): unknown => ({ type: "error", code, detail: "", fatal: true });

  beforeEach(introduced);

  it("that refuses us for now is asked again", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = FakeSocket.last;
    socket?.says(WELCOME);
    socket?.says(refusal("draining"));
    expect(socket?.closed).toBe(true);
    vi.advanceTimersByTime(2_000);
    expect(FakeSocket.last).not.toBe(socket);
    expect(notice).toHaveBeenLastCalledWith(expect.objectContaining({ code: "draining" }));
    vi.useRealTimers();
  });

  it.each(["unknown_site", "banned"] as const)("that says %s is left in peace", (code) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = FakeSocket.last;
    socket?.says(WELCOME);
    socket?.says(refusal(code));
    expect(socket?.closed).toBe(true);
    vi.advanceTimersByTime(1_000_000);
    expect(FakeSocket.last).toBe(socket);
    vi.useRealTimers();
  });
});

describe("a segment", () => {
  beforeEach(introduced);

  it("that is demanded comes from the origin, verified, when there is nobody else", async () => {
    runner.demand(key(0), 0, asker);
    expect(player.asked.map(({ url }) => url)).toStrictEqual([
      "https://cdn.example/media/demo/seg0.ts",
    ]);
    expect(runner.fetching(key(0))).toBe(true);
    expect(notice).toHaveBeenCalledWith(
      expect.objectContaining({ type: "FetchRange", span: [0, LENGTH - 1], rule: "start" }),
    );
    player.asked[0]?.sink.data(media(0));
    player.asked[0]?.sink.done(0.1, 0.2);
    await until(() => {
      expect(asker.ready).toHaveBeenCalledExactlyOnceWith(media(0));
    });
    expect(asker.progress.mock.calls).toStrictEqual([[0], [LENGTH]]);
    await until(() => {
      expect(runner.figures()).toMatchObject({ originBytes: LENGTH, httpBytes: LENGTH });
    });
    expect(runner.fetching(key(0))).toBe(false);
  });

  it("lies where its record says, if no playlist names it yet", () => {
    player.locate = () => undefined;
    runner.demand(key(0), 0, asker);
    expect(player.asked.map(({ url }) => url)).toStrictEqual([
      "https://cdn.example/media/demo/seg0.ts",
    ]);
  });

  it("with a wrong byte is asked for again and then left to plain HTTP", async () => {
    runner.demand(key(0), 0, asker);
    const wrong = media(0);
    wrong[66_000] = 99;
    player.asked[0]?.sink.data(wrong);
    player.asked[0]?.sink.done(0.1, 0.2);
    await until(() => {
      expect(notice).toHaveBeenCalledWith(
        expect.objectContaining({ type: "ChunkRejected", chunk: 1, link: null }),
      );
    });
    expect(asker.ready).not.toHaveBeenCalled();
    expect(runner.figures()).toMatchObject({ rejectedChunks: 1 });
  });

  it("that nobody waits for any more is not asked for any more", () => {
    runner.demand(key(0), 0, asker);
    runner.release(key(0), asker);
    expect(player.asked[0]?.aborted).toBe(true);
  });

  it("that somebody else waits for now is left to plain HTTP by the first", () => {
    const second = { ready: vi.fn(), failed: vi.fn(), progress: vi.fn() };
    runner.demand(key(0), 0, asker);
    runner.demand(key(0), 0, second);
    expect(asker.failed).toHaveBeenCalledOnce();
    runner.release(key(0), asker);
    expect(player.asked[0]?.aborted).toBe(false);
  });

  it("that was loaded past us is kept", async () => {
    expect(runner.loaded(key(1), media(1), OUTCOME)).toBe(true);
    expect(runner.figures()).toMatchObject({ originBytes: LENGTH });
    await until(() => {
      runner.demand(key(1), 0, asker);
      expect(asker.ready).toHaveBeenCalledWith(media(1));
    });
    expect(player.asked).toHaveLength(0);
  });

  it("is left to plain HTTP when peers are switched off", () => {
    runner.demand(key(0), 0, asker);
    permit(false);
    expect(asker.failed).toHaveBeenCalledOnce();
    expect(runner.takes(9)).toBe(false);
    expect(FakeSocket.last?.closed).toBe(true);
  });
});

describe("a live rendition", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keys = [
    { id: "x", algorithm: "ed25519", public: publicKey.export({ format: "jwk" }).x ?? "" } as const,
  ];

  function live(first: number, last: number, time: number): RenditionManifest {
    const unsigned = { ...page(first, last), live: true, time, first: 0, last };
    const value = toBase64(sign(null, signedBytes(unsigned), privateKey));
    return { ...unsigned, signatures: [{ key: "x", algorithm: "ed25519", value }], keys };
  }

  function records(sequence: number, time: number): Records {
    const hashes = toBase64(joined(hashesOf(sequence)));
    return { type: "records", page: { ...live(sequence, sequence, time), keys: [] }, hashes };
  }

  beforeEach(async () => {
    player.where = { ...player.where, live: true };
    origin.mockImplementationOnce(() => Response.json(live(0, 3, 1)));
    await introduced();
    FakeSocket.last?.says(WELCOME);
  });

  it("is followed by records that carry the origin's signature", async () => {
    FakeSocket.last?.says(records(4, 2));
    await known(4);
    expect(origin.mock.calls.flat().filter((url) => url.includes("records"))).toStrictEqual([]);
  });

  it("is not followed by others", async () => {
    const { page: good, hashes } = records(4, 2);
    FakeSocket.last?.says({ type: "records", page: { ...good, time: 3 }, hashes });
    FakeSocket.last?.says(records(5, 4));
    await known(5);
    expect(node().knows(key(4))).toBe(false);
  });

  it("is asked about by the records that are new", async () => {
    player.where = { ...player.where, last: 4 };
    origin.mockImplementationOnce(() => Response.json(live(4, 4, 2)));
    runner.moved();
    await known(4);
    expect(origin.mock.calls.flat()).toContain(
      "https://cdn.example/manifest/demo/480p.m3u8?records=4-4",
    );
  });
});

describe("a site that wants tokens", () => {
  const TOKEN = "aaaa.bbbb.cccc";

  function given(token: TokenSource | undefined): void {
    runner.allow({ p2p: true, upload: true, mode: "any", caps: {}, token });
  }

  async function sent(kind: string): Promise<Join> {
    const found = (): unknown => FakeSocket.last?.sent.find(({ type }) => type === kind);
    await until(() => {
      expect(found()).toBeDefined();
    });
    return found() as Join;
  }

  /** Whether a refusal closes the socket, and whether there is another two minutes later. */
  function refused(code: string): { closed: boolean; again: boolean } {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = FakeSocket.last;
    socket?.says({ type: "error", code, fatal: true });
    const closed = socket?.closed === true;
    vi.advanceTimersByTime(120_000);
    vi.useRealTimers();
    // The one timer that was set meanwhile is no more.
    (runner as unknown as { _ringsAt: number })._ringsAt = Infinity;
    return { closed, again: FakeSocket.last !== socket };
  }

  it("gets one with a proof, for what is played", async () => {
    const source = vi.fn(() => TOKEN);
    given(source);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    const { credentials } = await sent("join");
    expect(credentials).toMatchObject({ token: TOKEN, url: `/media/${RENDITION}` });
    expect(credentials?.proof?.signature).toHaveLength(86);
    expect(source).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ site: "pk_demo", content: CONTENT }),
    );
  });

  it("gets another before that expires, if there is somebody to ask", async () => {
    given(() => TOKEN);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await sent("join");
    FakeSocket.last?.says({ type: "joined", peer: "0".repeat(16), peers: 0, expires: 0.3 });
    expect((await sent("renew")).credentials).toMatchObject({ token: TOKEN });
  });

  it("does not get one and the same twice", async () => {
    given(TOKEN);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await sent("join");
    FakeSocket.last?.says({ type: "joined", peer: "0".repeat(16), peers: 0, expires: 0.03 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(FakeSocket.last?.sent.map(({ type }) => type)).not.toContain("renew");
  });

  it("is left alone by those who have none, until they have", async () => {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await sent("join");
    expect(refused("bad_token")).toStrictEqual({ closed: true, again: false });
    const first = FakeSocket.last;
    given(TOKEN);
    await Promise.resolve();
    expect(FakeSocket.last).not.toBe(first);
    FakeSocket.last?.says(WELCOME);
    expect((await sent("join")).credentials).toMatchObject({ token: TOKEN });
  });

  it("is tried again where the back end gives none", async () => {
    vi.spyOn(console, "info").mockReturnValue();
    const source = vi.fn<() => string>().mockReturnValueOnce("").mockReturnValue(TOKEN);
    given(source);
    await introduced();
    const first = FakeSocket.last;
    first?.says(WELCOME);
    await until(() => {
      expect(first?.closed).toBe(true);
    });
    await until(() => {
      expect(FakeSocket.last).not.toBe(first);
    });
    FakeSocket.last?.says(WELCOME);
    expect((await sent("join")).credentials).toMatchObject({ token: TOKEN });
  });

  it.each(["expired", "revoked", "site_off"])("says %s, and is looked for again", async (code) => {
    given(() => TOKEN);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await sent("join");
    expect(refused(code)).toStrictEqual({ closed: true, again: true });
    expect(notice).toHaveBeenCalledWith({ type: "TrackerRefused", code, retryAfter: null });
  });

  it("may not want this page at all", async () => {
    given(() => TOKEN);
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await sent("join");
    expect(FakeConnection.made).toHaveLength(1);
    expect(FakeConnection.closed).toBe(0);
    expect(refused("wrong_origin")).toStrictEqual({ closed: true, again: false });
    expect(FakeConnection.closed).toBe(1); // what was coming about is off, too
  });
});

describe("the end", () => {
  it("says the last figures, leaves, and lets everybody go", async () => {
    await introduced();
    const socket = FakeSocket.last;
    socket?.says(WELCOME);
    await until(() => {
      expect(socket?.sent).toHaveLength(1);
    });
    socket?.says({ type: "joined", peer: "0011223344556677", peers: 0, expires: null });
    runner.loaded(key(2), media(2), OUTCOME);
    runner.demand(key(0), 0, asker);
    runner.close();
    expect(socket?.sent.map(({ type }) => type)).toStrictEqual(["join", "report", "leave"]);
    expect(sendBeacon).not.toHaveBeenCalled(); // the page stays, and so does the socket for a while
    expect(socket?.closed).toBe(true);
    expect(player.asked[0]?.aborted).toBe(true);
    expect(asker.failed).toHaveBeenCalledOnce();
    expect(runner.loaded(key(1), media(1), OUTCOME)).toBe(false);
  });

  const mac = "abcdefghijklmnopqrst-_";
  const peer = "0011223344556677";

  /** The page goes, once something was loaded: what is then reported over the socket. */
  async function parted(): Promise<unknown> {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeSocket.last?.sent).toHaveLength(1);
    });
    FakeSocket.last?.says({ type: "joined", peer, peers: 0, expires: null, mac });
    runner.loaded(key(2), media(2), OUTCOME);
    runner.part(true);
    const [, report] = FakeSocket.last?.sent ?? [];
    expect(report).toMatchObject({ type: "report", number: 1, origin_bytes: LENGTH });
    return report;
  }

  it("of the page goes to the node that it was sent to", async () => {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    FakeSocket.last?.says({ type: "moved", url: "wss://b.example/tracker/v1" });
    await until(() => {
      expect(FakeSocket.last?.url).toBe("wss://b.example/tracker/v1");
    });
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeSocket.last?.sent).toHaveLength(1);
    });
    FakeSocket.last?.says({ type: "joined", peer, peers: 0, expires: null, mac });
    runner.loaded(key(2), media(2), OUTCOME);
    runner.part(true);
    expect(sendBeacon.mock.calls[0]?.[0]).toBe("https://b.example/tracker/v1/report");
  });

  it("of the page goes past the socket, too", async () => {
    const report = await parted();
    expect(sendBeacon).toHaveBeenCalledOnce();
    const [url, body] = sendBeacon.mock.calls[0] ?? [];
    expect(String(url)).toBe("https://cdn.example/tracker/v1/report");
    expect(JSON.parse(body ?? "")).toStrictEqual({ type: "beacon", peer, mac, report });
    runner.part(true);
    expect(sendBeacon).toHaveBeenCalledOnce(); // nothing is new
  });

  it.each([
    ["there are no beacons", undefined],
    ["beacons are forbidden", () => { throw new Error("no"); }],
  ])("of the page is told over the socket if %s", async (_, sendBeacon) => {
    vi.stubGlobal("navigator", { sendBeacon });
    await parted();
    expect(crashed).not.toHaveBeenCalled();
  });

  it("of the page is of no concern to a tracker that gave no code", async () => {
    await introduced();
    FakeSocket.last?.says(WELCOME);
    await until(() => {
      expect(FakeSocket.last?.sent).toHaveLength(1);
    });
    FakeSocket.last?.says({ type: "joined", peer: "0011223344556677", peers: 0, expires: null });
    runner.loaded(key(2), media(2), OUTCOME);
    runner.part(true);
    expect(sendBeacon).not.toHaveBeenCalled();
  });

  it("comes with any exception of ours, and everybody turns to plain HTTP", async () => {
    await introduced();
    runner.demand(key(0), 0, asker);
    player.whereabouts = () => {
      throw new Error("ours");
    };
    expect(() => {
      runner.moved();
    }).not.toThrow();
    expect(crashed).toHaveBeenCalledOnce();
    expect(asker.failed).toHaveBeenCalledOnce();
    expect(FakeSocket.last?.closed).toBe(true);
  });
});
