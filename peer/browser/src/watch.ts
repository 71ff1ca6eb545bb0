/**
 * How well a media element plays: the time to its first picture, and how long it plays and stalls.
 *
 *     idle --playing--> playing --waiting--> stalled --playing--> playing ...
 *      ^-- pause, ended, emptied, seeking --'----------------------'
 *
 * That it waits before its first picture, or after the viewer has sought, is no stall.
 */

import type { Watched } from "./core/ports";
import { LONGEST } from "./stats";

/** What a media element tells; all but the first two leave it idle. */
const EVENTS = ["loadeddata", "waiting", "playing", "pause", "ended", "emptied", "seeking"];

/** `HTMLMediaElement.HAVE_FUTURE_DATA`: enough to play on. */
const HAVE_FUTURE_DATA = 3;

export class Watch {
  private _media: HTMLMediaElement | undefined;
  /** The event that it came by, or "stalled". */
  private _state = "";
  private _since = 0;
  private _startup: number | undefined;
  private _stalls = 0;
  private _times: Record<string, number> = {};

  /** `started` is told of the first picture. */
  constructor(private readonly _started: () => void) {}

  /** Looks at this element from now on, and at no other. */
  on(media: HTMLMediaElement | undefined): void {
    for (const event of EVENTS) {
      this._media?.removeEventListener(event, this._hear);
      media?.addEventListener(event, this._hear);
    }
    this._media = media;
    // One that played before we looked says so no more.
    const plays =
      media && !media.paused && !media.ended && media.readyState >= HAVE_FUTURE_DATA;
    this._go(plays ? "playing" : "");
  }

  /** Begins anew: something else is to be played. */
  reset(): void {
    this._go("");
    this._startup = undefined;
    this._stalls = 0;
    this._times = {};
  }

  /** The first picture is there, so many milliseconds after the first request. */
  started(milliseconds: number): void {
    this._startup ??= Math.min(milliseconds, LONGEST);
  }

  figures(): Watched {
    this._go(this._state);
    const { playing = 0, stalled = 0 } = this._times;
    return {
      startup: this._startup,
      played: Math.round(playing),
      stalls: this._stalls,
      stalled: Math.round(stalled),
    };
  }

  private readonly _hear = ({ type }: Event): void => {
    if (type === "loadeddata") this._started();
    else if (type !== "waiting") this._go(type);
    else if (this._state === "playing" && !this._media?.seeking) {
      this._stalls++;
      this._go("stalled");
    }
  };

  private _go(state: string): void {
    const now = performance.now();
    this._times[this._state] = (this._times[this._state] ?? 0) + now - this._since;
    this._since = now;
    this._state = state;
  }
}
