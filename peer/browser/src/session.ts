/**
 * One player's stay with us, from the moment we find it until it is destroyed.
 *
 * What the player shows may change; each content gets a runner of its own, and the figures of those
 * that are over stay in the session's. Everything here may fail without the player noticing: where
 * there is no runner, or it does not know a segment, the player loads as it always did.
 */

import { consented } from "./consent";
import { Endpoint } from "./endpoint";
import { Request, type Meters } from "./meters";
import type { Bytes, SegmentKey } from "./model";
import type { Options, Switches } from "./options";
import type { Player } from "./player";
import { Runner, type Asker, type Notice } from "./runner";
import { noFigures, sum, type Figures, type Stats, type Stopwatch } from "./stats";
import { supported } from "./support";
import type { Throughput } from "./throughput";

/** Milliseconds between two looks at the player. */
const TICK = 1_000;

/** What sessions of a page have in common. */
export interface Shared {
  readonly meters: Meters;
  readonly stopwatch: Stopwatch;
  /** The session is over. */
  ended(session: Session): void;
}

/** The events of a session and their details. */
export interface SessionEvents {
  /** Every second: the figures. */
  stats: Stats;
  /** A link came up or went down. */
  peer: { readonly peer: string; readonly up: boolean };
  /** A segment that peers or we could not deliver is loaded by plain HTTP. */
  fallback: { readonly rendition: string; readonly sequence: number };
  /** Something went wrong that is worth a look; playback goes on. */
  error: { readonly code: string };
}

export class Session extends EventTarget {
  private runner: Runner | undefined;
  private url: string | undefined;
  private endpoint: Endpoint | undefined;
  private readonly past: Figures[] = [];
  /** Media that came by HTTP and is none of a node's business. */
  private readonly plain = noFigures();
  private readonly peers = new Map<number, string>();
  private startupMs: number | null = null;
  private over = false;
  private readonly ticker: number;

  constructor(
    private readonly player: Player,
    private readonly options: Options,
    private readonly shared: Shared,
  ) {
    super();
    this.ticker = self.setInterval(() => {
      this.tick();
    }, TICK);
  }

  // For pages

  getStats(): Stats {
    const current = this.runner ? [this.runner.figures()] : [];
    return {
      ...sum([...this.past, this.plain, ...current]),
      sessions: this.over ? 0 : 1,
      startupMs: this.startupMs,
      timings: { ...this.shared.stopwatch.timings },
    };
  }

  /** Switches sharing, or giving, on or off. */
  configure({ p2p, upload }: Switches): void {
    if (p2p !== undefined) this.options.p2p = p2p;
    if (upload !== undefined) this.options.upload = upload;
    this.permit();
  }

  /** Lets go of the player, which goes on by plain HTTP. */
  destroy(): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.ticker);
    this.retire();
    this.player.release();
    this.shared.ended(this);
  }

  // For players

  /** The player was given something to play. */
  load(url: string): void {
    const absolute = new URL(url, location.href).href;
    if (absolute === this.url || this.over) return;
    this.url = absolute;
    this.retire();
    const { endpoint, tracker } = this.options;
    this.endpoint = endpoint ? Endpoint.of(endpoint, tracker) : Endpoint.ofMedia(absolute, tracker);
    // The tracker's socket takes some round trips: it had better not wait for the playlists.
    if (this.rendition(absolute) !== undefined) this.begin();
  }

  /** The id of the rendition whose playlist is at `url`; none if it is not our end point's. */
  rendition(url: string): string | undefined {
    return this.endpoint?.rendition(url);
  }

  /** A playlist has come: so its manifest can be asked for. */
  introduce(rendition: string, sequence: number): void {
    if (!this.runner) this.begin();
    void this.runner?.introduce(rendition, sequence);
  }

  /** The player is elsewhere now. */
  moved(): void {
    this.runner?.moved();
  }

  /** The first picture is there, so many milliseconds after the first request. */
  started(milliseconds: number): void {
    this.startupMs ??= Math.round(milliseconds);
  }

  knows(key: SegmentKey): boolean {
    return this.runner?.knows(key) === true;
  }

  demand(key: SegmentKey, within: number, asker: Asker): void {
    if (this.runner) this.runner.demand(key, within, asker);
    else asker.failed();
  }

  release(key: SegmentKey, asker: Asker): void {
    this.runner?.release(key, asker);
  }

  fetching(key: SegmentKey): boolean {
    return this.runner?.fetching(key) === true;
  }

  /** The player makes a request for media by itself. */
  request(url: string): Request {
    return new Request(url, this.shared.meters, (bytes) => {
      this.plain.httpBytes += bytes;
    });
  }

  /** Whether what the player has loaded by itself may be worth offering. */
  get shares(): boolean {
    return this.runner !== undefined;
  }

  /** Such a request brought a segment. */
  loaded(key: SegmentKey, data: Bytes, cached: boolean): void {
    if (!this.runner?.loaded(key, data, cached)) this.counted(data.length, cached);
  }

  /** Such a request brought so many bytes that can't be shared. */
  counted(bytes: number, cached: boolean): void {
    this.plain[cached ? "cacheBytes" : "originBytes"] += bytes;
  }

  /** What a page says to its players about HTTP, whoever delivered. */
  get throughput(): Throughput {
    return this.shared.meters.throughput;
  }

  /** A segment is loaded by plain HTTP after all. */
  fellBack({ rendition, sequence }: SegmentKey): void {
    this.emit("fallback", { rendition, sequence });
  }

  // For the page

  /** Applies what site and viewer allow now. */
  permit(): void {
    const { p2p = true, upload = true } = this.options;
    const viewer = consented();
    this.runner?.allow({ p2p: p2p && viewer.p2p, upload, hostOnly: viewer.hostOnly });
  }

  /** The page goes, perhaps to come back. */
  hide(): void {
    this.runner?.part();
  }

  show(): void {
    this.runner?.resume();
  }

  private begin(): void {
    if (!this.endpoint || this.over || !supported()) return;
    this.runner = new Runner({
      endpoint: this.endpoint,
      site: this.options.site,
      player: this.player,
      meters: this.shared.meters,
      stopwatch: this.shared.stopwatch,
      notice: (event) => {
        this.notice(event);
      },
      crashed: () => {
        this.emit("error", { code: "internal" });
      },
    });
    this.permit();
  }

  private retire(): void {
    const { runner } = this;
    this.runner = undefined;
    if (!runner) return;
    runner.close();
    this.past.push({ ...runner.figures(), links: 0 });
  }

  private tick(): void {
    this.runner?.moved();
    this.emit("stats", this.getStats());
  }

  private notice(event: Notice): void {
    switch (event.type) {
      case "LinkUp":
        this.peers.set(event.link, event.peer);
        this.emit("peer", { peer: event.peer, up: true });
        break;
      case "LinkDown":
        this.emit("peer", { peer: this.peers.get(event.link) ?? "", up: false });
        this.peers.delete(event.link);
        break;
      case "ChunkRejected":
        this.emit("error", { code: "integrity" });
        break;
      case "TrackerRefused":
        this.emit("error", { code: event.code });
        break;
      case "Entered":
        break;
    }
  }

  private emit<K extends keyof SessionEvents>(type: K, detail: SessionEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
