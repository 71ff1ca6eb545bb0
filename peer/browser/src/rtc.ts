/**
 * One link: a peer connection with two negotiated channels, and nothing that the core decides.
 *
 *     control   id 0, ordered     JSON text
 *     data      id 1, unordered   frames; reliable, so that each comes once
 *
 * Whatever happens is told as an input of the node. A link that is over says nothing more and lets
 * go of its connection: Chromium counts 500 a tab, closed ones included until they are collected.
 */

import type { Input, LinkReason, Mode, Route } from "./core/ports";
import { RemoteError } from "./errors";
import type { Stopwatch } from "./stats";
import { Allowance } from "./wire/allowance";
import { decodeFrame, encodeFrame, type Frame } from "./wire/chunk";
import { decodeLink, encode } from "./wire/codec";
import type { LinkMessage } from "./wire/link";

/** Milliseconds that a description waits for candidates to go with it: the host's come at once. */
const GATHER = 50;

/** Milliseconds. The core gives up earlier; this is for a core that has forgotten. */
const CONNECT_TIMEOUT = 8_000;

/** Milliseconds that a connection may be without its network before it is over. */
const SILENCE = 5_000;

/** Milliseconds that the last messages have for leaving. */
const FAREWELL = 1_000;

/** Milliseconds between two looks at how long it takes there and back: a full line adds to it. */
const LOOK_EVERY = 10_000;

/** Seconds there and back where a browser that tells whole milliseconds tells none. */
const LEAST_RTT = 0.0005;

/** If the ends differ, the first of these tells. */
const ROUTES: readonly Route[] = ["relay", "srflx", "prflx", "host"];

/** Messages that may come before both channels are open. */
const MOST_EARLY = 64;

/** Bytes of control messages that wait: an end that takes no more is as good as gone. */
const MOST_TOLD = 1_048_576;

export interface RtcOptions {
  readonly iceServers: RTCIceServer[];
  /** In `lan`, only addresses of the local network are used, on both sides; in `relay`, only ours of
   * a relay. */
  readonly mode: Mode;
}

export class RtcLink {
  private readonly _connection: RTCPeerConnection;
  private readonly _control: RTCDataChannel;
  private readonly _data: RTCDataChannel;
  private readonly _allowance = new Allowance(performance.now() / 1_000);
  private _described = false;
  /** What one channel said before the other was open, too. */
  private _early: Input[] | undefined = [];
  private _over = false;
  private _remote: Promise<unknown> = Promise.resolve();
  private _timer = 0;
  private _look = 0;

  constructor(
    readonly number: number,
    private readonly _options: RtcOptions,
    private readonly _stopwatch: Stopwatch,
    private readonly _tell: (input: Input) => void,
  ) {
    const { iceServers, mode } = _options;
    const iceTransportPolicy = mode === "relay" ? "relay" : "all";
    this._connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
    this._control = this._channel("control", 0, true);
    this._data = this._channel("data", 1, false);
    this._watchConnection();
    this._watchChannels();
  }

  offer(): void {
    this._remote = this._describe(() => this._connection.createOffer());
    this._guard();
  }

  answer(sdp: string): void {
    this._endAfter(CONNECT_TIMEOUT, "timeout");
    this._remote = this._connection
      .setRemoteDescription({ type: "offer", sdp: this._fit(sdp) })
      .then(() => this._describe(() => this._connection.createAnswer()))
      .then(() => {
        this._stopwatch.mark("answer");
      });
    this._guard();
  }

  takeAnswer(sdp: string): void {
    this._stopwatch.mark("answer");
    this._endAfter(CONNECT_TIMEOUT, "timeout");
    this._remote = this._remote.then(() =>
      this._connection.setRemoteDescription({ type: "answer", sdp: this._fit(sdp) }),
    );
    this._guard();
  }

  addCandidate(candidate: string, sdpMid: string): void {
    if (this._isLocal && !isHost(candidate)) return;
    // One bad candidate is no reason to give up the others.
    this._remote.then(() => this._connection.addIceCandidate({ candidate, sdpMid })).catch(nothing);
  }

  say(message: LinkMessage): void {
    if (this._control.bufferedAmount > MOST_TOLD) {
      this._end("timeout");
      return;
    }
    this._attempt(() => {
      this._control.send(encode(message));
    });
  }

  send(frame: Frame): void {
    this._attempt(() => {
      this._data.send(encodeFrame(frame));
    });
  }

  /** Some frames have been sent: tells when half of what is now in the buffer has gone. */
  flush(): void {
    const { _data: data } = this;
    if (data.bufferedAmount === 0) this._drained();
    else data.bufferedAmountLowThreshold = Math.floor(data.bufferedAmount / 2);
  }

  /** Ends the link without a word to the core; what was sent has a moment to leave. */
  close(): void {
    if (this._over) return;
    this._silence();
    this._control.close();
    this._data.close();
    setTimeout(() => {
      this._connection.close();
    }, FAREWELL);
  }

  /** Ends it at once: the page goes. */
  drop(): void {
    this._silence();
    this._connection.close();
  }

  private _channel(label: string, id: number, ordered: boolean): RTCDataChannel {
    const channel = this._connection.createDataChannel(label, { id, ordered, negotiated: true });
    channel.binaryType = "arraybuffer";
    return channel;
  }

  private _watchConnection(): void {
    const { _connection: connection, number: link } = this;
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate || !this._described) return; // what came earlier is in the SDP
      const mid = candidate.sdpMid ?? "0";
      this._tell({ type: "CandidateFound", link, candidate: candidate.candidate, mid });
    };
    connection.oniceconnectionstatechange = () => {
      const state = connection.iceConnectionState;
      if (state === "connected" || state === "completed") this._stopwatch.mark("ice");
    };
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      if (state === "failed" || state === "closed") this._end(state);
      if (state === "disconnected") this._endAfter(SILENCE, "closed");
      if (state === "connected" && this._open()) clearTimeout(this._timer);
    };
    connection.ondatachannel = ({ channel }) => {
      channel.close();
      this._hear({ type: "LinkBroke", link, code: "unexpected" });
    };
  }

  private _watchChannels(): void {
    const { _control: control, _data: data, number: link } = this;
    for (const channel of [control, data]) {
      channel.onopen = () => {
        this._opened();
      };
      channel.onclose = () => {
        this._end("closed");
      };
    }
    control.onmessage = ({ data: text }: MessageEvent<unknown>) => {
      this._decode(() => {
        this._allowance.take(typeof text === "string" ? text.length : 0, performance.now() / 1_000);
        return { type: "LinkSays", link, message: decodeLink(text) };
      });
    };
    data.onmessage = ({ data: bytes }: MessageEvent<unknown>) => {
      this._decode(() => {
        if (!(bytes instanceof ArrayBuffer)) throw new RemoteError("bad_frame", "text");
        return { type: "LinkSends", link, frame: decodeFrame(bytes) };
      });
    };
    data.onbufferedamountlow = () => {
      this._drained();
    };
  }

  private _drained(): void {
    const { bufferedAmount: buffered } = this._data;
    if (!this._over) this._tell({ type: "LinkDrained", link: this.number, buffered });
  }

  /** Both channels are open: which, in Firefox, the other end may have made use of already. */
  private _opened(): void {
    const { _early: early, number: link } = this;
    if (!early || !this._open()) return;
    clearTimeout(this._timer);
    this._stopwatch.mark("open");
    this._early = undefined;
    this._tell({ type: "LinkOpened", link });
    for (const input of early) this._tell(input);
    void this._watchRoute();
  }

  /** Tells by what it goes what we send, now and later. */
  private async _watchRoute(): Promise<void> {
    try {
      const { _connection: connection, number: link } = this;
      const again = (): void => void this._watchRoute();
      // Not in Firefox.
      const ice = connection.sctp?.transport.iceTransport;
      if (ice) ice.onselectedcandidatepairchange ??= again;
      const [route, rtt] = routeOf(await connection.getStats());
      if (this._over) return;
      clearTimeout(this._look);
      this._look = self.setTimeout(again, LOOK_EVERY);
      if (route) this._tell({ type: "LinkRouted", link, route, rtt });
    } catch {
      // The tracker knows who can only link through a relay.
    }
  }

  private _decode(read: () => Input): void {
    let input: Input;
    try {
      input = read();
    } catch (error) {
      const code = error instanceof RemoteError ? error.code : "malformed";
      input = { type: "LinkBroke", link: this.number, code };
    }
    this._hear(input);
  }

  private _hear(input: Input): void {
    if (!this._early) this._tell(input);
    else if (this._early.push(input) > MOST_EARLY) this._end("protocol");
  }

  /** Sets our own description and hands it over, with the candidates that are there by then. */
  private async _describe(make: () => Promise<RTCSessionDescriptionInit>): Promise<void> {
    const { _connection: connection, number: link } = this;
    await connection.setLocalDescription(await make());
    await gathered(connection);
    this._described = true;
    const sdp = connection.localDescription?.sdp ?? "";
    if (!this._over) this._tell({ type: "Described", link, sdp });
  }

  private _guard(): void {
    this._remote.catch(() => {
      this._end("failed");
    });
  }

  private _attempt(send: () => void): void {
    try {
      send();
    } catch {
      this._end("closed");
    }
  }

  private _fit(sdp: string): string {
    return this._isLocal
      ? sdp.replace(/a=candidate:.*\r?\n/g, (line) => (isHost(line) ? line : ""))
      : sdp;
  }

  private get _isLocal(): boolean {
    return this._options.mode === "lan";
  }

  private _open(): boolean {
    return this._control.readyState === "open" && this._data.readyState === "open";
  }

  private _endAfter(milliseconds: number, reason: LinkReason): void {
    clearTimeout(this._timer);
    this._timer = self.setTimeout(() => {
      this._end(reason);
    }, milliseconds);
  }

  private _end(reason: LinkReason): void {
    if (this._over) return;
    this.drop();
    this._tell({ type: "LinkClosed", link: this.number, reason });
  }

  private _silence(): void {
    this._over = true;
    clearTimeout(this._timer);
    clearTimeout(this._look);
    const { _connection: connection, _control: control, _data: data } = this;
    connection.onicecandidate = connection.onconnectionstatechange = null;
    connection.oniceconnectionstatechange = connection.ondatachannel = null;
    for (const channel of [control, data]) {
      channel.onopen = channel.onclose = channel.onmessage = channel.onbufferedamountlow = null;
    }
  }
}

function nothing(): void {
  // A failure that changes nothing.
}

function isHost(candidate: string): boolean {
  return candidate.includes(" typ host");
}

interface Stat {
  readonly type: string;
  readonly selectedCandidatePairId?: string;
  /** Firefox names the pair itself. */
  readonly selected?: boolean;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly candidateType?: string;
  /** Seconds. Not in every Firefox. */
  readonly currentRoundTripTime?: number;
}

/** What the pair of candidates that is in use goes by, and its round trip, or 0 if nobody says. */
function routeOf(report: RTCStatsReport): [Route | undefined, number] {
  const stats = report as ReadonlyMap<string | undefined, Stat>;
  const all = [...stats.values()];
  const named = all.find(({ type }) => type === "transport")?.selectedCandidatePairId;
  const pair = stats.get(named) ?? all.find(({ selected }) => selected);
  const ends = [pair?.localCandidateId, pair?.remoteCandidateId];
  const route = ROUTES.find((name) => ends.some((id) => stats.get(id)?.candidateType === name));
  const rtt = pair?.currentRoundTripTime;
  return [route, rtt === undefined ? 0 : Math.max(rtt, LEAST_RTT)];
}

/** Waits until all candidates are there, or the moment for the first ones has passed. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER);
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      connection.onicegatheringstatechange = null;
      resolve();
    };
  });
}
