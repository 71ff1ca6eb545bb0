/** All sessions of one page, and what they have in common. */

import { choose, type Consent } from "./consent";
import { Meters } from "./meters";
import type { Options, Switches } from "./options";
import { HlsPlayer } from "./players/hls";
import type { Hls } from "./players/hls-types";
import { Session, type Shared } from "./session";
import { Stopwatch, sum, type Stats } from "./stats";

export class Page {
  private readonly sessions = new Map<Hls, Session>();
  /** Players whose session is over; they are left alone. */
  private readonly left = new WeakSet<Hls>();
  private readonly past: Stats[] = [];
  private readonly shared: Shared = {
    meters: new Meters(),
    stopwatch: new Stopwatch(),
    ended: (session) => {
      this.end(session);
    },
  };

  constructor(readonly options: Options = {}) {
    addEventListener("pagehide", () => {
      for (const session of this.sessions.values()) session.hide();
    });
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) for (const session of this.sessions.values()) session.show();
    });
  }

  /** The session of a player; a new one if it has none. */
  attach(hls: Hls, options: Options = {}): Session {
    const present = this.sessions.get(hls);
    if (present) return present;
    const player = new HlsPlayer(hls);
    const session = new Session(player, { ...this.options, ...options }, this.shared);
    this.sessions.set(hls, session);
    player.join(session);
    return session;
  }

  /** A player was found; it gets a session unless it has or had one. It never throws. */
  found(hls: Hls): void {
    try {
      if (!this.left.has(hls)) this.attach(hls);
    } catch {
      this.left.add(hls);
    }
  }

  getStats(): Stats {
    const all = [...this.past, ...[...this.sessions.values()].map((session) => session.getStats())];
    return {
      ...sum(all),
      sessions: this.sessions.size,
      startupMs: all.find(({ startupMs }) => startupMs !== null)?.startupMs ?? null,
      timings: { ...this.shared.stopwatch.timings },
    };
  }

  configure({ p2p, upload }: Switches): void {
    const switches = { ...(p2p !== undefined && { p2p }), ...(upload !== undefined && { upload }) };
    Object.assign(this.options, switches);
    for (const session of this.sessions.values()) session.configure(switches);
  }

  consent(mode: Consent): void {
    choose(mode);
    for (const session of this.sessions.values()) session.permit();
  }

  private end(session: Session): void {
    for (const [hls, candidate] of this.sessions) {
      if (candidate !== session) continue;
      this.sessions.delete(hls);
      this.left.add(hls);
      this.past.push(session.getStats());
    }
  }
}
