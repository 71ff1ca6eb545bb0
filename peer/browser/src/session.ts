/**
 * One player's stay with us, from the moment we find it until it is destroyed.
 *
 * What the player shows may change; each content gets a runner of its own, and the figures of those
 * that are over stay in the session's. Everything here may fail without the player noticing: where
 * there is no runner, or it does not know a segment, the player loads as it always did.
 */

import { ask, chosen, modeOf } from "./consent";
import { Endpoint } from "./endpoint";
import type { Rule } from "./core/ports";
import type { Handover } from "./handover";
import { fetchPage } from "./manifests";
import { Request, type Meters, type Outcome } from "./meters";
import type { Bytes, SegmentKey, Span } from "./model";
import { amountOf, pinsOf, switchesOf, type Options, type Switches } from "./options";
import type { Player } from "./player";
import { Runner, type Asker, type Notice } from "./runner";
import { noFigures, Stopwatch, sum, type Stats } from "./stats";
import { supported } from "./support";
import type { Throughput } from "./throughput";

/** Milliseconds between two looks at the player. */
const TICK = 1_000;

/** Milliseconds from finding the player for which tracker and manifest wait for the first picture. */
const BEGINNING = 80;

/**
 * Milliseconds for which connections do. To make the first takes the processor as long as a tenth of
 * the way to the picture.
 */
const OPENING = 250;

/** Milliseconds before each attempt to learn of media elsewhere. */
const SEEKING = [0, 2_000, 8_000];

/** Playlists that an end point knows nothing of, beyond which it is not asked. */
const MOST_STRANGE = 8;

/** What sessions of a page have in common. */
export interface Shared {
  readonly meters: Meters;
  /** Of the page: what happened first in any of them. */
  readonly stopwatch: Stopwatch;
  /** Who takes the demands of all players, if a page hands them over. */
  handover?: Handover | undefined;
  /** The session is over. */
  ended(session: Session): void;
}

/** The events of a session and their details. */
export interface SessionEvents {
  /** Every second: the figures. */
  stats: Stats;
  /** A link came up or went down. */
  peer: { readonly peer: string; readonly up: boolean };
  /** HTTP is asked for some bytes of a segment, the first and the last, by a rule of ours. */
  fetch: {
    readonly rendition: string;
    readonly sequence: number;
    readonly span: Span;
    readonly rule: Rule;
  };
  /** A segment that peers or we could not deliver is loaded by plain HTTP. */
  fallback: { readonly rendition: string; readonly sequence: number };
  /** Something went wrong that is worth a look; playback goes on. */
  error: { readonly code: string };
}

export class Session extends EventTarget {
  private _runner: Runner | undefined;
  private _url: string | undefined;
  private _endpoint: Endpoint | undefined;
  /** Playlists elsewhere that the end point is asked about, or knows nothing of. */
  private _strange = new Set<string>();
  /** Asks about one of them, once that is allowed. */
  private _pending: (() => void) | undefined;
  /** Of the runners that are over. */
  private _past = noFigures();
  /** Media that came by HTTP and is none of a node's business. */
  private readonly _plain = noFigures();
  private readonly _peers = new Map<number, string>();
  private _startupMs: number | null = null;
  private _shown: (() => void) | undefined;
  private readonly _picture = new Promise<void>((resolve) => {
    this._shown = resolve;
  });
  private readonly _beginning = this._calm(BEGINNING);
  private readonly _opening = this._calm(OPENING);
  private _over = false;
  /** Whether site and viewer agree to share. */
  private _shares = false;
  private readonly _ticker: number;

  constructor(
    private readonly _player: Player,
    private readonly _options: Options,
    private readonly _shared: Shared,
  ) {
    super();
    this._ticker = self.setInterval(() => {
      this._tick();
    }, TICK);
  }

  // For pages

  getStats(): Stats {
    const current = this._runner ? [this._runner.figures()] : [];
    return {
      ...sum([this._past, this._plain, ...current]),
      sessions: this._over ? 0 : 1,
      startupMs: this._startupMs,
      timings: { ...this._shared.stopwatch.timings },
    };
  }

  /** Switches sharing, or giving, on or off. */
  configure(switches: Switches): void {
    Object.assign(this._options, switchesOf(switches));
    this.permit();
  }

  /** Lets go of the player, which goes on by plain HTTP. */
  destroy(): void {
    if (this._over) return;
    this._over = true;
    clearInterval(this._ticker);
    this._shown?.(); // nobody waits any more,
    this._strange = new Set(); // nor wants to know
    this._retire();
    this._player.release();
    this._shared.ended(this);
  }

  // For players

  /** The player was given something to play; whether it is something else than before. */
  load(url: string): boolean {
    const absolute = new URL(url, location.href).href;
    if (absolute === this._url || this._over) return false;
    this._url = absolute;
    this._retire();
    this._strange = new Set();
    this._pending = undefined;
    const { endpoint, tracker } = this._options;
    this._endpoint = endpoint
      ? Endpoint.of(endpoint, tracker)
      : Endpoint.ofMedia(absolute, tracker);
    // The tracker's socket takes some round trips: it had better not wait for the playlists.
    if (this.rendition(absolute) !== undefined) this._begin();
    return true;
  }

  /** The id of the rendition whose playlist is at `url`; none if it is not our end point's. */
  rendition(url: string): string | undefined {
    return this._endpoint?.rendition(url);
  }

  /** A playlist has come: so its manifest can be asked for. */
  introduce(rendition: string, sequence: number): void {
    if (!this._runner) this._begin();
    void this._runner?.introduce(rendition, sequence);
  }

  /**
   * A playlist has come that is none of the end point's own. It may know those media all the same,
   * which stay elsewhere; `found` hears of it if so.
   */
  seek(url: string, sequence: number, found: () => void): void {
    if (this._shares) {
      void this._seek(url, sequence, found);
      return;
    }
    this._pending = (): void => {
      this.seek(url, sequence, found);
    };
    this.permit();
  }

  /** The player is elsewhere now. */
  moved(): void {
    this._runner?.moved();
  }

  /** The first picture is there, so many milliseconds after the first request. */
  started(milliseconds: number): void {
    this._startupMs ??= Math.round(milliseconds);
    this._shown?.();
  }

  /** Whether a segment that will be played in `within` seconds may be asked for. */
  takes(within: number): boolean {
    return this._handover !== undefined || this._runner?.takes(within) === true;
  }

  demand(key: SegmentKey, within: number, asker: Asker): void {
    const { _handover: handover, _url: url } = this;
    if (handover && url) handover.demand(url, key, within, asker, this._options.token);
    else if (this._runner) this._runner.demand(key, within, asker);
    else asker.failed("missing");
  }

  release(key: SegmentKey, asker: Asker): void {
    this._shared.handover?.release(asker);
    this._runner?.release(key, asker);
  }

  fetching(key: SegmentKey): boolean {
    return this._runner?.fetching(key) === true;
  }

  /** The player makes a request for media by itself. */
  request(url: string): Request {
    return new Request(url, this._shared.meters, (bytes) => {
      this._plain.httpBytes += bytes;
    });
  }

  /** The player loaded so many bytes before we were there. */
  earlier(bytes: number): void {
    this._plain.httpBytes += bytes;
    this._plain.originBytes += bytes;
  }

  /** Whether what the player has loaded by itself may be worth offering. */
  get shares(): boolean {
    return this._runner !== undefined;
  }

  /** Such a request brought a segment. */
  loaded(key: SegmentKey, data: Bytes, outcome: Outcome): void {
    if (!this._runner?.loaded(key, data, outcome)) this.counted(data.length, outcome.cached);
  }

  /** Such a request brought so many bytes that can't be shared. */
  counted(bytes: number, cached: boolean): void {
    this._plain[cached ? "cacheBytes" : "originBytes"] += bytes;
  }

  /** What a page says to its players about HTTP, whoever delivered. */
  get throughput(): Throughput {
    return this._shared.meters.throughput;
  }

  /** A segment is loaded by plain HTTP after all. */
  fellBack({ rendition, sequence }: SegmentKey): void {
    this._emit("fallback", { rendition, sequence });
  }

  // For the page

  /** Applies what site and viewer allow now. */
  permit(): void {
    const { p2p = true, upload = true, consent, token, ...limits } = this._options;
    const choice = chosen();
    const mode = choice ?? modeOf(limits.mode ?? "any");
    const waits = consent === "required" && choice === undefined;
    if (waits && (this._runner ?? this._pending)) ask();
    const { uploadRate: rate, uploadBudget, uploadRatio: ratio } = limits;
    const caps = {
      ...(rate !== undefined && { rate: amountOf(rate) }),
      // What earlier runners gave counts, too.
      ...(uploadBudget !== undefined && {
        budget: amountOf(uploadBudget) - this._past.uploadedBytes,
      }),
      ...(ratio !== undefined && { ratio: amountOf(ratio) }),
    };
    this._shares = p2p && !waits && mode !== "off";
    const on = this._shares && !this._handover;
    this._runner?.allow({ p2p: on, upload, mode, caps, ...(token && { token }) });
    const { _pending: pending } = this;
    if (!this._shares) return;
    this._pending = undefined;
    pending?.();
  }

  /** The page goes, perhaps to come back. */
  hide(): void {
    this._runner?.part(true);
  }

  show(): void {
    this._runner?.resume();
  }

  /** Who takes the demands of this player. */
  private get _handover(): Handover | undefined {
    // A native peer knows nothing of media elsewhere.
    return this._shares && this._endpoint?.far === false ? this._shared.handover : undefined;
  }

  /** Until the first picture is there, or has taken so many milliseconds. */
  private _calm(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = self.setTimeout(resolve, milliseconds);
      void this._picture.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private async _seek(url: string, sequence: number, found: () => void): Promise<void> {
    const { _endpoint: endpoint, _strange: strange, _url: top = url } = this;
    if (!endpoint || strange.has(url) || strange.size >= MOST_STRANGE || !supported()) return;
    strange.add(url);
    await this._beginning;
    for (const pause of SEEKING) {
      await new Promise((resolve) => self.setTimeout(resolve, pause));
      if (this._strange !== strange || !this._shares) return;
      const page = await fetchPage(endpoint.seek(url, top, sequence), pinsOf(this._options.key));
      if (this._strange !== strange) return;
      if (!page) continue;
      strange.delete(url);
      endpoint.learn(new URL(url, endpoint.base).href, page.rendition);
      if (!this._runner) this._begin();
      await this._runner?.meet(page);
      found();
      return;
    }
  }

  private _begin(): void {
    if (!this._endpoint || this._over || !supported()) return;
    this._runner = new Runner({
      endpoint: this._endpoint,
      site: this._options.site,
      path: this._url && this.rendition(this._url),
      pins: pinsOf(this._options.key),
      player: this._player,
      meters: this._shared.meters,
      stopwatch: new Stopwatch(this._shared.stopwatch),
      beginning: this._beginning,
      opening: this._opening,
      notice: (event) => {
        this._notice(event);
      },
      crashed: () => {
        this._emit("error", { code: "internal" });
      },
    });
    this.permit();
  }

  private _retire(): void {
    const { _runner: runner } = this;
    this._runner = undefined;
    if (!runner) return;
    runner.close();
    this._past = sum([this._past, { ...runner.figures(), links: 0 }]);
  }

  private _tick(): void {
    this._runner?.moved();
    this._emit("stats", this.getStats());
  }

  private _notice(event: Notice): void {
    switch (event.type) {
      case "LinkUp":
        this._peers.set(event.link, event.peer);
        this._emit("peer", { peer: event.peer, up: true });
        break;
      case "LinkDown":
        this._emit("peer", { peer: this._peers.get(event.link) ?? "", up: false });
        this._peers.delete(event.link);
        break;
      case "ChunkRejected":
        this._emit("error", { code: "integrity" });
        break;
      case "TrackerRefused":
        this._emit("error", { code: event.code });
        break;
      case "FetchRange":
        this._emit("fetch", { ...event.key, span: event.span, rule: event.rule });
        break;
      case "Entered":
        break;
    }
  }

  private _emit<K extends keyof SessionEvents>(type: K, detail: SessionEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
