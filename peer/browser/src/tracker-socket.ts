/**
 * The tracker's socket: opened again, ever more patiently, for as long as somebody wants it.
 *
 *     CLOSED --open()--> OPENING --> OPEN
 *       ^                   |          |        lost: TrackerDown, then OPENING after a pause that
 *       '----- close() -----'----------'        doubles, with jitter so that no herd comes back
 */

import type { Input } from "./core/ports";
import { decodeFromTracker, encode } from "./wire/codec";
import type { ToTracker } from "./wire/tracker";

/** Milliseconds before the first new attempt; it doubles up to the last one. */
const FIRST_PAUSE = 1_000;
const LAST_PAUSE = 60_000;

/** The longest message that the tracker has any reason to send, in characters. */
const LONGEST = 65_536;

/** Milliseconds of peace after which a lost socket counts as a new misfortune. */
const STABLE = 30_000;

export class TrackerSocket {
  private socket: WebSocket | undefined;
  private wanted = false;
  private pause = FIRST_PAUSE;
  private timer = 0;

  constructor(
    private readonly url: string,
    private readonly tell: (input: Input) => void,
  ) {}

  open(): void {
    this.wanted = true;
    if (!this.socket) this.connect();
  }

  say(message: ToTracker): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(encode(message));
  }

  /** Closes it; what was said before still leaves. `retryAfter` is in seconds. */
  close(retryAfter?: number): void {
    clearTimeout(this.timer);
    this.wanted = retryAfter !== undefined;
    this.part();
    if (retryAfter !== undefined) this.later(retryAfter * 1_000);
  }

  private connect(): void {
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.wanted = false; // the page's policy forbids it, and will go on to
      return;
    }
    this.socket = socket;
    const since = performance.now();
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      this.hear(data);
    };
    socket.onclose = () => {
      if (performance.now() - since > STABLE) this.pause = FIRST_PAUSE;
      this.lost();
    };
  }

  private hear(text: unknown): void {
    let message;
    try {
      if (typeof text !== "string" || text.length > LONGEST) throw new RangeError();
      message = decodeFromTracker(text);
    } catch {
      this.lost(); // it does not speak our language; maybe it will after an update
      return;
    }
    this.tell({ type: "TrackerSays", message });
  }

  private lost(): void {
    this.part();
    this.tell({ type: "TrackerDown" });
    if (this.wanted) this.later(this.pause);
    this.pause = Math.min(this.pause * 2, LAST_PAUSE);
  }

  private later(pause: number): void {
    this.timer = self.setTimeout(
      () => {
        if (this.wanted && !this.socket) this.connect();
      },
      pause * (0.5 + Math.random()),
    );
  }

  private part(): void {
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
