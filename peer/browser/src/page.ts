/** All sessions of one page, and what they have in common. */

import { choose, chosen, type Consent } from "./consent";
import type { Handover } from "./handover";
import { Meters } from "./meters";
import { switchesOf, type Options, type Switches } from "./options";
import { HlsPlayer } from "./players/hls";
import type { Hls } from "./players/hls-types";
import { Session, type Shared } from "./session";
import { noFigures, Stopwatch, sum, type Stats } from "./stats";

export class Page {
  private readonly _sessions = new Map<Hls, Session>();
  /** Players whose session is over; they are left alone. */
  private readonly _left = new WeakSet<Hls>();
  /** Of the sessions that are over. */
  private _past = noFigures();
  private _startupMs: number | null = null;
  private readonly _shared: Shared = {
    meters: new Meters(),
    stopwatch: new Stopwatch(),
    ended: (session) => {
      this._end(session);
    },
  };

  constructor(readonly options: Options = {}) {
    addEventListener("pagehide", () => {
      for (const session of this._sessions.values()) session.hide();
    });
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) for (const session of this._sessions.values()) session.show();
    });
  }

  /** The session of a player; a new one if it has none. */
  attach(hls: Hls, options: Options = {}): Session {
    const present = this._sessions.get(hls);
    if (present) return present;
    const player = new HlsPlayer(hls);
    const session = new Session(player, { ...this.options, ...options }, this._shared);
    this._sessions.set(hls, session);
    try {
      player.join(session);
    } catch {
      session.destroy(); // the player goes on without us
    }
    return session;
  }

  /** A player was found; it gets a session unless it has or had one. It never throws. */
  found(hls: Hls): void {
    try {
      if (!this._left.has(hls)) this.attach(hls);
    } catch {
      this._left.add(hls); // it is not what it looks like
    }
  }

  getStats(): Stats {
    const current = [...this._sessions.values()].map((session) => session.getStats());
    const [first] = current.filter(({ startupMs }) => startupMs !== null);
    return {
      ...sum([this._past, ...current]),
      sessions: this._sessions.size,
      startupMs: this._startupMs ?? first?.startupMs ?? null,
      timings: { ...this._shared.stopwatch.timings },
    };
  }

  configure(given: Switches): void {
    const switches = switchesOf(given);
    Object.assign(this.options, switches);
    for (const session of this._sessions.values()) session.configure(switches);
  }

  /** The viewer's choice, after it was changed to `mode`, if that is given. */
  consent(mode?: Consent): Consent | undefined {
    if (mode !== undefined) {
      choose(mode);
      for (const session of this._sessions.values()) session.permit();
    }
    return chosen();
  }

  /** Hands the players' demands over, or takes them back. */
  handOver(to?: Handover): void {
    this._shared.handover = to;
    for (const session of this._sessions.values()) session.permit();
  }

  private _end(session: Session): void {
    for (const [hls, candidate] of this._sessions) {
      if (candidate !== session) continue;
      this._sessions.delete(hls);
      this._left.add(hls);
      const stats = session.getStats();
      this._past = sum([this._past, stats]);
      this._startupMs ??= stats.startupMs;
    }
  }
}
