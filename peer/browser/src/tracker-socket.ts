/**
 * The tracker's socket: opened again, ever more patiently, for as long as somebody wants it.
 *
 *     CLOSED --open()--> OPENING --> OPEN
 *       ^                   |          |        lost: TrackerDown, then OPENING after a pause that
 *       '----- close() -----'----------'        doubles, with jitter so that no herd comes back
 *
 * A tracker of several nodes may send it to another one. It stays with that for as long as it can be
 * reached, and goes back to the page's own address once it cannot.
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

/** Milliseconds until a tracker has to have said something, or is not there. */
const SILENT = 10_000;

export class TrackerSocket {
  /** Where it is opened now. */
  url: string;
  private _socket: WebSocket | undefined;
  private _wanted = false;
  private _pause = FIRST_PAUSE;
  private _timer = 0;
  /** Where the tracker was heard last. */
  private _heard = "";
  /** Where it sent us and we could not go: each time to wait for that in vain would be long. */
  private _unreached = "";

  constructor(
    private _home: string,
    private readonly _tell: (input: Input) => void,
  ) {
    this.url = _home;
  }

  open(): void {
    this._wanted = true;
    if (!this._socket) this._connect();
  }

  /** From now on its path says what it is for: to a load balancer, whose servers share that out. */
  aim(content: string): void {
    const home = this._home.replace(/\/tracker\/v\d+$/, `$&/${content}`);
    if (this.url === this._home) this.url = home;
    this._home = home;
  }

  say(message: ToTracker): void {
    if (this._socket?.readyState === WebSocket.OPEN) this._socket.send(encode(message));
  }

  /** Closes it; what was said before still leaves. */
  close(): void {
    clearTimeout(this._timer);
    this._wanted = false;
    this._part();
  }

  /** Closes it and comes back: not before `retryAfter` seconds, if the tracker named some. */
  drop(retryAfter: number | null = null, url = this._home): void {
    this._leave(url, Math.max(this._pause, (retryAfter ?? 0) * 1_000));
    this._pause = Math.min(this._pause * 2, LAST_PAUSE);
  }

  /** Goes to another node, as the tracker said; what TLS protects here it has to protect there. */
  move(url: string, retryAfter: number | null): void {
    if (isSecure(this._home) && !isSecure(url)) this.drop(retryAfter);
    else if (url === this._unreached) this._leave(this._home, 0);
    else this._leave(url, (retryAfter ?? 0) * 1_000);
  }

  private _leave(url: string, pause: number): void {
    this.url = url;
    this._part();
    this._tell({ type: "TrackerDown" });
    if (this._wanted) this._later(pause);
  }

  /** Goes home, as nobody is where we are. */
  private _miss(): void {
    if (this.url !== this._heard) this._unreached = this.url; // else it was there, and may be back
    this.drop();
  }

  private _connect(): void {
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      // The page's policy forbids it, and will go on to.
      if (this.url === this._home) this._wanted = false;
      else this._miss();
      return;
    }
    this._socket = socket;
    const since = performance.now();
    let there = false;
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      there = true;
      this._heard = this.url;
      clearTimeout(this._timer);
      this._hear(data);
    };
    const lost = (): void => {
      if (performance.now() - since > STABLE) this._pause = FIRST_PAUSE;
      if (there) this.drop(null, this.url);
      else this._miss();
    };
    socket.onclose = lost;
    this._timer = self.setTimeout(lost, SILENT);
  }

  private _hear(text: unknown): void {
    let message;
    try {
      if (typeof text !== "string" || text.length > LONGEST) throw new RangeError();
      message = decodeFromTracker(text);
    } catch {
      this.drop(); // it does not speak our language; maybe it will after an update
      return;
    }
    this._tell({ type: "TrackerSays", message });
  }

  private _later(pause: number): void {
    clearTimeout(this._timer);
    this._timer = self.setTimeout(
      () => {
        if (this._wanted && !this._socket) this._connect();
      },
      pause * (1 + Math.random() / 2),
    );
  }

  private _part(): void {
    const { _socket: socket } = this;
    this._socket = undefined;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

function isSecure(url: string): boolean {
  return url.startsWith("wss:");
}
