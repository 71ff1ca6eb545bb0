/**
 * One link: a peer connection with two negotiated channels, and nothing that the core decides.
 *
 *     control   id 0, ordered     JSON text
 *     data      id 1, unordered   frames; reliable, so that each comes once
 *
 * Whatever happens is told as an input of the node. A link that is over says nothing more and lets
 * go of its connection: Chromium counts 500 a tab, closed ones included until they are collected.
 */

import type { Input, LinkReason } from "./core/ports";
import { RemoteError } from "./errors";
import type { Stopwatch } from "./stats";
import { decodeFrame, encodeFrame, type Frame } from "./wire/chunk";
import { decodeLink, encode } from "./wire/codec";
import type { LinkMessage } from "./wire/link";

/** Half of what the core keeps in the channel's buffer at most. */
export const LOW_WATER = 65_536;

/** Milliseconds that a description waits for candidates to go with it: the host's come at once. */
const GATHER = 50;

/** Milliseconds. The core gives up earlier; this is for a core that has forgotten. */
const CONNECT_TIMEOUT = 8_000;

/** Milliseconds that a connection may be without its network before it is over. */
const SILENCE = 5_000;

/** Milliseconds that the last messages have for leaving. */
const FAREWELL = 1_000;

export interface RtcOptions {
  readonly iceServers: RTCIceServer[];
  /** Only addresses of the local network, on both sides. */
  readonly hostOnly: boolean;
}

export class RtcLink {
  private readonly connection: RTCPeerConnection;
  private readonly control: RTCDataChannel;
  private readonly data: RTCDataChannel;
  private described = false;
  private over = false;
  private remote: Promise<unknown> = Promise.resolve();
  private timer = 0;

  constructor(
    readonly number: number,
    private readonly options: RtcOptions,
    private readonly stopwatch: Stopwatch,
    private readonly tell: (input: Input) => void,
  ) {
    const { iceServers } = options;
    this.connection = new RTCPeerConnection({ iceServers: options.hostOnly ? [] : iceServers });
    this.control = this.channel("control", 0, true);
    this.data = this.channel("data", 1, false);
    this.watchConnection();
    this.watchChannels();
  }

  offer(): void {
    this.remote = this.describe(() => this.connection.createOffer());
    this.guard();
  }

  answer(sdp: string): void {
    this.endAfter(CONNECT_TIMEOUT, "timeout");
    this.remote = this.connection
      .setRemoteDescription({ type: "offer", sdp: this.fit(sdp) })
      .then(() => this.describe(() => this.connection.createAnswer()))
      .then(() => {
        this.stopwatch.mark("answer");
      });
    this.guard();
  }

  takeAnswer(sdp: string): void {
    this.stopwatch.mark("answer");
    this.endAfter(CONNECT_TIMEOUT, "timeout");
    this.remote = this.remote.then(() =>
      this.connection.setRemoteDescription({ type: "answer", sdp: this.fit(sdp) }),
    );
    this.guard();
  }

  addCandidate(candidate: string, sdpMid: string): void {
    if (this.options.hostOnly && !isHost(candidate)) return;
    // One bad candidate is no reason to give up the others.
    this.remote.then(() => this.connection.addIceCandidate({ candidate, sdpMid })).catch(nothing);
  }

  say(message: LinkMessage): void {
    this.attempt(() => {
      this.control.send(encode(message));
    });
  }

  send(frame: Frame): void {
    this.attempt(() => {
      this.data.send(encodeFrame(frame));
    });
  }

  /** Bytes waiting to be sent, if they are few enough for more; otherwise an event will tell. */
  room(): number | undefined {
    const { bufferedAmount } = this.data;
    return bufferedAmount <= LOW_WATER ? bufferedAmount : undefined;
  }

  /** Ends the link without a word to the core; what was sent has a moment to leave. */
  close(): void {
    if (this.over) return;
    this.silence();
    this.control.close();
    this.data.close();
    setTimeout(() => {
      this.connection.close();
    }, FAREWELL);
  }

  /** Ends it at once: the page goes. */
  drop(): void {
    this.silence();
    this.connection.close();
  }

  private channel(label: string, id: number, ordered: boolean): RTCDataChannel {
    const channel = this.connection.createDataChannel(label, { id, ordered, negotiated: true });
    channel.binaryType = "arraybuffer";
    return channel;
  }

  private watchConnection(): void {
    const { connection, number: link } = this;
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate || !this.described) return; // what came earlier is in the SDP
      const mid = candidate.sdpMid ?? "0";
      this.tell({ type: "CandidateFound", link, candidate: candidate.candidate, mid });
    };
    connection.oniceconnectionstatechange = () => {
      const state = connection.iceConnectionState;
      if (state === "connected" || state === "completed") this.stopwatch.mark("ice");
    };
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      if (state === "failed" || state === "closed") this.end(state);
      if (state === "disconnected") this.endAfter(SILENCE, "closed");
      if (state === "connected" && this.open()) clearTimeout(this.timer);
    };
    connection.ondatachannel = () => {
      this.tell({ type: "LinkBroke", link, code: "unexpected" });
    };
  }

  private watchChannels(): void {
    const { control, data, number: link } = this;
    for (const channel of [control, data]) {
      channel.onopen = () => {
        if (!this.open()) return;
        clearTimeout(this.timer);
        this.stopwatch.mark("open");
        this.tell({ type: "LinkOpened", link });
      };
      channel.onclose = () => {
        this.end("closed");
      };
    }
    control.onmessage = ({ data: text }: MessageEvent<unknown>) => {
      this.decode(() => ({ type: "LinkSays", link, message: decodeLink(text) }));
    };
    data.onmessage = ({ data: bytes }: MessageEvent<unknown>) => {
      this.decode(() => {
        if (!(bytes instanceof ArrayBuffer)) throw new RemoteError("bad_frame", "text");
        return { type: "LinkSends", link, frame: decodeFrame(bytes) };
      });
    };
    data.bufferedAmountLowThreshold = LOW_WATER;
    data.onbufferedamountlow = () => {
      this.tell({ type: "LinkDrained", link, buffered: data.bufferedAmount });
    };
  }

  private decode(read: () => Input): void {
    let input: Input;
    try {
      input = read();
    } catch (error) {
      const code = error instanceof RemoteError ? error.code : "malformed";
      input = { type: "LinkBroke", link: this.number, code };
    }
    this.tell(input);
  }

  /** Sets our own description and hands it over, with the candidates that are there by then. */
  private async describe(make: () => Promise<RTCSessionDescriptionInit>): Promise<void> {
    const { connection, number: link } = this;
    await connection.setLocalDescription(await make());
    await gathered(connection);
    this.described = true;
    const sdp = connection.localDescription?.sdp ?? "";
    if (!this.over) this.tell({ type: "Described", link, sdp });
  }

  private guard(): void {
    this.remote.catch(() => {
      this.end("failed");
    });
  }

  private attempt(send: () => void): void {
    try {
      send();
    } catch {
      this.end("closed");
    }
  }

  private fit(sdp: string): string {
    return this.options.hostOnly
      ? sdp.replace(/a=candidate:.*\r?\n/g, (line) => (isHost(line) ? line : ""))
      : sdp;
  }

  private open(): boolean {
    return this.control.readyState === "open" && this.data.readyState === "open";
  }

  private endAfter(milliseconds: number, reason: LinkReason): void {
    clearTimeout(this.timer);
    this.timer = self.setTimeout(() => {
      this.end(reason);
    }, milliseconds);
  }

  private end(reason: LinkReason): void {
    if (this.over) return;
    this.drop();
    this.tell({ type: "LinkClosed", link: this.number, reason });
  }

  private silence(): void {
    this.over = true;
    clearTimeout(this.timer);
    const { connection, control, data } = this;
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
