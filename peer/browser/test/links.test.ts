/** Links over make-believe peer connections: what they do, and what they tell. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Input, Mode } from "../src/core/ports";
import { Links } from "../src/links";
import type { RtcOptions } from "../src/rtc";
import { Stopwatch } from "../src/stats";
import { encodeFrame } from "../src/wire/chunk";

const HOST = "candidate:1 1 udp 1 x.local 5000 typ host";
const OUTSIDE = "candidate:2 1 udp 1 198.51.100.7 5000 typ srflx raddr 0.0.0.0 rport 0";
const SDP = `v=0\r\na=${HOST}\r\na=${OUTSIDE}\r\na=mid:0\r\n`;

class Channel {
  readyState = "connecting";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = "";
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  readonly sent: unknown[] = [];
  close = vi.fn();

  constructor(
    readonly label: string,
    readonly options: unknown,
  ) {}

  send(data: unknown): void {
    if (this.readyState !== "open") throw new Error("InvalidStateError");
    this.sent.push(data);
  }

  open(): void {
    this.readyState = "open";
    this.onopen?.();
  }
}

class Connection {
  static made: Connection[] = [];
  static limit = 500;
  channels: Channel[] = [];
  connectionState = "new";
  iceConnectionState = "new";
  iceGatheringState = "gathering";
  localDescription = { sdp: "v=0\r\n" };
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onicegatheringstatechange: (() => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ondatachannel: ((event: { channel: { close: () => void } }) => void) | null = null;
  close = vi.fn();
  createOffer = vi.fn(() => Promise.resolve({ type: "offer" }));
  createAnswer = vi.fn(() => Promise.resolve({ type: "answer" }));
  setLocalDescription = vi.fn(() => Promise.resolve());
  setRemoteDescription = vi.fn(() => Promise.resolve());
  addIceCandidate = vi.fn(() => Promise.resolve());
  sctp = { transport: { iceTransport: { onselectedcandidatepairchange: null } } };
  stats: Record<string, unknown>[] = [];
  getStats = (): Promise<Map<unknown, unknown>> =>
    Promise.resolve(new Map(this.stats.map((stat) => [stat["id"], stat])));

  constructor(readonly options: unknown) {
    if (Connection.made.length >= Connection.limit) throw new Error("too many");
    Connection.made.push(this);
  }

  createDataChannel(label: string, options: unknown): Channel {
    const channel = new Channel(label, options);
    this.channels.push(channel);
    return channel;
  }

  find(candidate: string): void {
    this.localDescription.sdp += `a=${candidate}\r\n`;
    this.onicecandidate?.({ candidate: { candidate, sdpMid: "0" } });
  }

  becomes(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

let told: Input[];
let mode: Mode;
let calm: Promise<unknown>;
let links: Links;

function connection(): Connection {
  const last = Connection.made.at(-1);
  if (!last) throw new Error("no connection");
  return last;
}

function channels(): [control: Channel, data: Channel] {
  return connection().channels as [Channel, Channel];
}

function made(): Links {
  const iceServers = [{ urls: "stun:cdn.example:8080" }];
  const options = (): RtcOptions => ({ iceServers, mode });
  return new Links(options, new Stopwatch(), (input) => told.push(input), calm);
}

async function settle(): Promise<void> {
  for (let at = 0; at < 10; at++) await Promise.resolve();
}

/** A link whose channels are open. */
async function open(): Promise<void> {
  links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
  await settle();
  vi.advanceTimersByTime(50);
  await settle();
  for (const channel of channels()) channel.open();
  told.length = 0;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("RTCPeerConnection", Connection);
  Connection.made = [];
  Connection.limit = 500;
  told = [];
  calm = Promise.resolve();
  mode = "any";
  links = made();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("coming about", () => {
  it("has two negotiated channels", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    expect(channels().map(({ label, options }) => [label, options])).toStrictEqual([
      ["control", { id: 0, ordered: true, negotiated: true }],
      ["data", { id: 1, ordered: false, negotiated: true }],
    ]);
    expect(channels()[1].binaryType).toBe("arraybuffer");
  });

  it("describes itself after a moment, with what was found by then; the rest follows", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    connection().find(HOST);
    expect(told).toStrictEqual([]);
    vi.advanceTimersByTime(50);
    await settle();
    connection().find(OUTSIDE);
    expect(told).toStrictEqual([
      { type: "Described", link: 7, sdp: `v=0\r\na=${HOST}\r\n` },
      { type: "CandidateFound", link: 7, candidate: OUTSIDE, mid: "0" },
    ]);
  });

  it("makes no offer before it is calm, and none that is over by then", async () => {
    let begin = (): void => undefined;
    calm = new Promise<void>((resolve) => (begin = resolve));
    links = made();
    for (const link of [7, 8]) links.act({ type: "MakeOffer", link });
    links.act({ type: "CloseLink", link: 8 });
    await settle();
    expect(Connection.made).toHaveLength(0);
    begin();
    await settle();
    expect(Connection.made).toHaveLength(1);
  });

  it("makes none once the page has gone", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    links.drop();
    await settle();
    expect(Connection.made).toHaveLength(0);
  });

  it("waits for nothing once everything is found", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    connection().iceGatheringState = "complete";
    connection().onicegatheringstatechange?.();
    await settle();
    expect(told).toMatchObject([{ type: "Described" }]);
  });

  it("answers an offer, and takes candidates after it", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    links.act({ type: "AddCandidate", link: 7, candidate: OUTSIDE, mid: "0" });
    await settle();
    vi.advanceTimersByTime(50);
    await settle();
    expect(connection().setRemoteDescription).toHaveBeenCalledWith({ type: "offer", sdp: SDP });
    expect(connection().addIceCandidate).toHaveBeenCalledOnce();
    expect(told).toMatchObject([{ type: "Described" }]);
  });

  it("is open once both channels are", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    channels()[0].open();
    expect(told).toStrictEqual([]);
    channels()[1].open();
    expect(told).toStrictEqual([{ type: "LinkOpened", link: 7 }]);
  });

  it("keeps what is said on one channel until both are open", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    const [control, data] = channels();
    control.open();
    control.onmessage?.({ data: '{"type":"missing","want":3}' });
    expect(told).toStrictEqual([]);
    data.open();
    expect(told.map(({ type }) => type)).toStrictEqual(["LinkOpened", "LinkSays"]);
  });

  it("says that the other end broke the rules before it was open, once it is", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    connection().ondatachannel?.({ channel: { close: vi.fn() } });
    expect(told).toStrictEqual([]);
    for (const channel of channels()) channel.open();
    expect(told.map(({ type }) => type)).toStrictEqual(["LinkOpened", "LinkBroke"]);
  });

  it("is over when so many channels are opened before its own are", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    const channel = { close: vi.fn() };
    for (let at = 0; at < 1000; at++) connection().ondatachannel?.({ channel });
    expect(channel.close).toHaveBeenCalledTimes(65);
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "protocol" }]);
  });

  it("is over when too much is said before it is open", async () => {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    const [control] = channels();
    for (let at = 0; at < 65; at++) control.onmessage?.({ data: '{"type":"missing","want":3}' });
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "protocol" }]);
    expect(connection().close).toHaveBeenCalledOnce();
  });

  it("fails with a description that can't be read", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    connection().setRemoteDescription.mockRejectedValueOnce(new Error("bad SDP"));
    links.act({ type: "TakeAnswer", link: 7, sdp: "?" });
    vi.advanceTimersByTime(50);
    await settle();
    vi.advanceTimersByTime(50);
    await settle();
    expect(told).toContainEqual({ type: "LinkClosed", link: 7, reason: "failed" });
    expect(connection().close).toHaveBeenCalledOnce();
  });

  it("fails where the browser makes no more connections", async () => {
    Connection.limit = 0;
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "failed" }]);
  });

  it("is given up when it takes too long, but a spare offer may wait", async () => {
    links.act({ type: "MakeOffer", link: 7 });
    vi.advanceTimersByTime(60_000);
    await settle();
    links.act({ type: "TakeAnswer", link: 7, sdp: SDP });
    vi.advanceTimersByTime(8_000);
    expect(told.at(-1)).toStrictEqual({ type: "LinkClosed", link: 7, reason: "timeout" });
  });
});

describe("within the local network", () => {
  it("offers no way to the outside, and takes none", async () => {
    mode = "lan";
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    links.act({ type: "AddCandidate", link: 7, candidate: OUTSIDE, mid: "0" });
    links.act({ type: "AddCandidate", link: 7, candidate: HOST, mid: "0" });
    await settle();
    vi.advanceTimersByTime(50);
    await settle();
    expect(connection().options).toMatchObject({ iceTransportPolicy: "all" });
    const sdp = `v=0\r\na=${HOST}\r\na=mid:0\r\n`;
    expect(connection().setRemoteDescription).toHaveBeenCalledWith({ type: "offer", sdp });
    expect(connection().addIceCandidate).toHaveBeenCalledExactlyOnceWith({
      candidate: HOST,
      sdpMid: "0",
    });
  });
});

describe("behind a relay", () => {
  const ends = (local: string, remote: string): Record<string, unknown>[] => [
    { id: "T", type: "transport", selectedCandidatePairId: "P" },
    { id: "P", type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R" },
    { id: "Q", type: "candidate-pair", localCandidateId: "X", remoteCandidateId: "R" },
    { id: "L", type: "local-candidate", candidateType: local },
    { id: "X", type: "local-candidate", candidateType: "relay" },
    { id: "R", type: "remote-candidate", candidateType: remote },
  ];

  async function opened(stats: Record<string, unknown>[]): Promise<void> {
    links.act({ type: "MakeAnswer", link: 7, sdp: SDP });
    await settle();
    connection().stats = stats;
    for (const channel of channels()) channel.open();
    await settle();
  }

  it("offers no address but a relay's", async () => {
    mode = "relay";
    links.act({ type: "MakeOffer", link: 7 });
    await settle();
    expect(connection().options).toMatchObject({ iceTransportPolicy: "relay" });
  });

  it.each([
    ["host", "host", "host"],
    ["host", "srflx", "srflx"],
    ["relay", "host", "relay"],
    ["host", "relay", "relay"],
    ["prflx", "host", "prflx"],
    ["prflx", "srflx", "srflx"],
  ])("from %s to %s: %s", async (local, remote, route) => {
    await opened(ends(local, remote));
    expect(told.at(-1)).toStrictEqual({ type: "LinkRouted", link: 7, route, rtt: 0 });
  });

  it("is told with how long it takes there and back, where that is known", async () => {
    const stats = ends("host", "host");
    await opened(stats.map((stat) => ({ ...stat, currentRoundTripTime: 0.045 })));
    expect(told.at(-1)).toMatchObject({ route: "host", rtt: 0.045 });
  });

  it("is told as less than a millisecond where that is no millisecond", async () => {
    const stats = ends("host", "host");
    await opened(stats.map((stat) => ({ ...stat, currentRoundTripTime: 0 })));
    expect(told.at(-1)).toMatchObject({ route: "host", rtt: 0.0005 });
  });

  it("is looked at again and again, as long as there is the link", async () => {
    const stats = ends("host", "host");
    await opened(stats.map((stat) => ({ ...stat, currentRoundTripTime: 0.345 })));
    connection().stats = stats.map((stat) => ({ ...stat, currentRoundTripTime: 0.045 }));
    vi.advanceTimersByTime(50);
    await settle();
    const before = told.length;
    for (let look = 0; look < 2; look++) {
      vi.advanceTimersByTime(10_000);
      await settle();
    }
    expect(told.slice(before)).toMatchObject([{ rtt: 0.045 }, { rtt: 0.045 }]);
    links.act({ type: "CloseLink", link: 7 });
    vi.advanceTimersByTime(1_000);
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not told in words that nobody knows", async () => {
    await opened(ends("tunnel", "tunnel"));
    expect(told.at(-1)).toStrictEqual({ type: "LinkOpened", link: 7 });
  });

  it("is told where the browser names the pair itself", async () => {
    const [, pair, , ...rest] = ends("relay", "host");
    await opened([{ ...pair, selected: true }, ...rest]);
    expect(told.at(-1)).toStrictEqual({ type: "LinkRouted", link: 7, route: "relay", rtt: 0 });
  });

  it("is told when it becomes so", async () => {
    await opened(ends("host", "host"));
    connection().stats = ends("relay", "host");
    const change = connection().sctp.transport.iceTransport
      .onselectedcandidatepairchange as unknown as () => void;
    change();
    await settle();
    expect(told.at(-1)).toStrictEqual({ type: "LinkRouted", link: 7, route: "relay", rtt: 0 });
  });
});

describe("an open link", () => {
  beforeEach(open);

  it("hears messages and frames", () => {
    const [control, data] = channels();
    control.onmessage?.({ data: '{"type":"missing","want":3}' });
    const payload = new Uint8Array([1, 2]);
    data.onmessage?.({ data: encodeFrame({ want: 3, offset: 0, payload }).buffer });
    expect(told).toStrictEqual([
      { type: "LinkSays", link: 7, message: { type: "missing", want: 3 } },
      { type: "LinkSends", link: 7, frame: { want: 3, offset: 0, payload } },
    ]);
  });

  it.each([
    ["no message", 0, "{}", "malformed"],
    ["bytes for a message", 0, new ArrayBuffer(9), "malformed"],
    ["text for a frame", 1, "hello", "bad_frame"],
    ["an empty frame", 1, new ArrayBuffer(8), "bad_frame"],
    ["too long a frame", 1, new ArrayBuffer(20_000), "too_large"],
  ])("says when it hears %s", (_, channel, data, code) => {
    channels()[channel]?.onmessage?.({ data });
    expect(told).toStrictEqual([{ type: "LinkBroke", link: 7, code }]);
  });

  it("says when the other end talks without end", () => {
    vi.spyOn(performance, "now").mockReturnValue(0);
    const [control] = channels();
    for (let at = 0; at < 40_000; at++) control.onmessage?.({ data: '{"type":"missing","want":3}' });
    const kinds = told.map(({ type }) => type);
    expect(kinds.indexOf("LinkBroke")).toBeGreaterThan(10_000);
    expect(told[kinds.indexOf("LinkBroke")]).toStrictEqual({
      type: "LinkBroke",
      link: 7,
      code: "too_fast",
    });
  });

  it("is over when so much waits to be told", () => {
    const [control] = channels();
    control.bufferedAmount = 1_048_576;
    links.send([{ type: "TellLink", link: 7, message: { type: "missing", want: 3 } }]);
    expect(control.sent).toHaveLength(1);
    control.bufferedAmount += 1;
    links.send([{ type: "TellLink", link: 7, message: { type: "missing", want: 3 } }]);
    expect(control.sent).toHaveLength(1);
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "timeout" }]);
  });

  it("closes a channel that the other end opens on its own, and says so", () => {
    const channel = { close: vi.fn() };
    connection().ondatachannel?.({ channel });
    expect(channel.close).toHaveBeenCalledOnce();
    expect(told).toStrictEqual([{ type: "LinkBroke", link: 7, code: "unexpected" }]);
  });

  it("tells when half of what waits after sending has gone, and at once if nothing waits", () => {
    const [, data] = channels();
    const frame = { want: 1, offset: 0, payload: new Uint8Array(4) };
    links.send([{ type: "SendFrame", link: 7, frame }]);
    expect(told).toStrictEqual([{ type: "LinkDrained", link: 7, buffered: 0 }]);
    for (const [buffered, half] of [[1001, 500], [600, 300]] as const) {
      data.bufferedAmount = buffered;
      links.send([{ type: "SendFrame", link: 7, frame }]);
      expect(data.bufferedAmountLowThreshold).toBe(half);
    }
    expect(told).toHaveLength(1);
    data.bufferedAmount = 290;
    data.onbufferedamountlow?.();
    expect(told.at(-1)).toStrictEqual({ type: "LinkDrained", link: 7, buffered: 290 });
  });

  it("tells nothing of a channel that broke as it was sent to", () => {
    channels()[1].readyState = "closed";
    const frame = { want: 1, offset: 0, payload: new Uint8Array(4) };
    links.send([{ type: "SendFrame", link: 7, frame }]);
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "closed" }]);
  });

  it("is over when a channel closes or can not be written to, or the connection fails", async () => {
    channels()[0].onclose?.();
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "closed" }]);
    await open();
    connection().becomes("failed");
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "failed" }]);
    await open();
    channels()[0].readyState = "closed";
    links.send([{ type: "TellLink", link: 7, message: { type: "cancel", want: 1 } }]);
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "closed" }]);
  });

  it("may be without its network for a moment, no longer", () => {
    connection().becomes("disconnected");
    vi.advanceTimersByTime(4_000);
    connection().becomes("connected");
    vi.advanceTimersByTime(60_000);
    expect(told).toStrictEqual([]);
    connection().becomes("disconnected");
    vi.advanceTimersByTime(5_000);
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "closed" }]);
  });

  it("lets the last words leave when it is closed, and says nothing more", () => {
    const [control] = channels();
    links.send([{ type: "TellLink", link: 7, message: { type: "bye", code: null, detail: "" } }]);
    links.act({ type: "CloseLink", link: 7 });
    expect(control.sent).toHaveLength(1);
    expect(connection().close).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(connection().close).toHaveBeenCalledOnce();
    expect(control.onmessage).toBeNull();
    expect(told).toStrictEqual([]);
  });

  it("is dropped at once with its page, and the node hears of it", () => {
    links.drop();
    expect(connection().close).toHaveBeenCalledOnce();
    expect(told).toStrictEqual([{ type: "LinkClosed", link: 7, reason: "closed" }]);
  });
});
