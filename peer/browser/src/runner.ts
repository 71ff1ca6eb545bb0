/**
 * The loop that drives a node in a browser: feed, drain, send, arm one timer again.
 *
 * A node belongs to one content, whose id stands in the manifest. So a runner begins with nothing
 * but the tracker's socket; what that says is kept until the first page of a manifest has come.
 * Should anything in here throw, the runner is over and everybody is told to use plain HTTP.
 */

import { Node } from "./core/node";
import type {
  Allow,
  Caps,
  Check,
  ChunkRejected,
  Device,
  Entered,
  Event,
  FetchHashes,
  FetchManifest,
  FetchRange,
  FetchRecords,
  Input,
  LinkDown,
  LinkUp,
  Mode,
  Outgoing,
  Prove,
  TrackerRefused,
} from "./core/ports";
import { accessOf, watchDevice } from "./device";
import { isSound, matches } from "./digest";
import { reportOf, type Endpoint } from "./endpoint";
import type { ErrorCode, SourceReason } from "./errors";
import { Links } from "./links";
import { fetchHashes, fetchPage } from "./manifests";
import type { Meters, Outcome } from "./meters";
import { segmentId, type Bytes, type SegmentKey } from "./model";
import type { Located, Player } from "./player";
import { Ranges } from "./ranges";
import type { RtcOptions } from "./rtc";
import { sayOnce } from "./say";
import { noFigures, type Figures, type Stopwatch } from "./stats";
import { prove, type TokenSource } from "./tokens";
import { TrackerSocket } from "./tracker-socket";
import { verifies } from "./verify";
import { encode } from "./wire/codec";
import type { RenditionManifest } from "./wire/manifest";
import type { ToTracker, Welcome } from "./wire/tracker";

/** Milliseconds before each new attempt to learn what the content is. */
const INTRODUCTIONS = [1_000, 4_000, 16_000];

/** Refusals that will be the same tomorrow. */
const HOPELESS = new Set<ErrorCode>([
  "no_peers",
  "unknown_site",
  "unsupported_protocol",
  "wrong_origin",
  "banned",
]);

/** Refusals that another token may change. */
const UNPROVED = new Set<ErrorCode>(["bad_token", "expired", "revoked"]);

/** Inputs that wait for the node, beyond which segments are not kept for it. */
const MOST_EARLY = 12;

/** Seconds before its play time when a segment no longer waits for us to learn what it is. */
const LEISURE = 1;

/** Who waits for a segment. */
export interface Asker {
  /** Here it is. */
  ready(data: Bytes): void;
  /** It is to be loaded past us. */
  failed(reason: SourceReason): void;
  /** HTTP was asked for all of it, or has brought so many bytes more. */
  progress(bytes: number): void;
}

/** What the node tells to whom it may concern. */
export type Notice = Entered | LinkUp | LinkDown | ChunkRejected | FetchRange | TrackerRefused;

/** What the viewer and the site allow at the moment. */
export interface Permit {
  readonly p2p: boolean;
  readonly upload: boolean;
  /** Whom to share with. */
  readonly mode: Mode;
  readonly caps: Caps;
  /** Where join tokens come from. */
  readonly token?: TokenSource | undefined;
}

export interface RunnerOptions {
  readonly endpoint: Endpoint;
  /** The site's id; the manifest names it, too. */
  readonly site: string | undefined;
  /** What the player plays, as a path of the end point's media. */
  readonly path?: string | undefined;
  /** Thumbprints of the keys of which one has to sign the manifests. */
  readonly pins?: readonly string[] | undefined;
  readonly player: Player;
  readonly meters: Meters;
  readonly stopwatch: Stopwatch;
  /** What the first picture goes before: to ask anybody anything, */
  readonly beginning: Promise<unknown>;
  /** and to make connections. */
  readonly opening: Promise<unknown>;
  readonly notice: (notice: Notice) => void;
  /** Something of ours threw, and the runner is over. */
  readonly crashed: (error: unknown) => void;
}

export class Runner {
  private _node: Node | undefined;
  private _identity: { readonly site: string; readonly content: string } | undefined;
  private _permit: Permit = { p2p: false, upload: false, mode: "off", caps: {} };
  /** What the tracker said when it let us in. */
  private _entered: Entered | undefined;
  /** What the content is to be learnt by, once that is allowed. */
  private _first: SegmentKey | undefined;
  private _device: Device | undefined;
  private readonly _unwatch: () => void;
  private _welcome: Welcome | undefined;
  private _inbox: Input[] = [];
  private readonly _askers = new Map<string, Asker>();
  private readonly _socket: TrackerSocket;
  private readonly _links: Links;
  private readonly _ranges: Ranges;
  /** Demands that wait for the node. */
  private readonly _postponed: (() => void)[] = [];
  private _httpBytes = 0;
  private _introductions = 0;
  private _introducing = false;
  private _busy = false;
  /** Whether the page goes. */
  private _goes = false;
  private _over = false;
  private _timer = 0;
  /** When it rings, by the core's clock. */
  private _ringsAt = Infinity;

  constructor(private readonly _options: RunnerOptions) {
    const { endpoint, meters, player, stopwatch } = _options;
    const tell = (input: Input): void => {
      this._receive(input);
    };
    this._socket = new TrackerSocket(endpoint.tracker.href, tell);
    this._links = new Links(() => this._rtcOptions(), stopwatch, tell, _options.opening);
    this._ranges = new Ranges(player, meters, {
      tell,
      locate: (key) => this._locate(key),
      progress: (key, bytes) => this._askers.get(segmentId(key))?.progress(bytes),
      count: (bytes) => (this._httpBytes += bytes),
    });
    this._unwatch = watchDevice((device) => {
      this._device = device;
      if (this._node) this._receive(device);
    });
  }

  // The player's side

  /** A rendition is known by name: learn which content it belongs to, unless that is known. */
  async introduce(rendition: string, sequence: number): Promise<void> {
    this._first = { rendition, sequence };
    if (this._node || this._introducing || this._over || !this._permit.p2p) return;
    this._introducing = true;
    const page = await this._firstPage(rendition, sequence);
    const fits = page?.rendition === rendition;
    if (fits) await this.meet(page);
    this._introducing = false;
    if (!fits) this._introduceLater(rendition, sequence);
  }

  /** The first page of a rendition has come: by that the content is known. */
  async meet(page: RenditionManifest): Promise<void> {
    const sound = await isSound();
    try {
      if (!sound) this._distrust();
      else if (this._node) this._page(page.rendition, page);
      else this._begin(page);
    } catch (error) {
      this._crash(error);
    }
  }

  /** Whether a segment that will be played in `within` seconds may be asked for: before we know
   * what the content is only if there is time to learn it. */
  takes(within: number): boolean {
    if (!this._permit.p2p || this._over) return false;
    return this._node !== undefined || (this._introducing && within > LEISURE);
  }

  /** Asks for a segment that will be played in `within` seconds. */
  demand(key: SegmentKey, within: number, asker: Asker): void {
    const before = this._take(key);
    this._askers.set(segmentId(key), asker);
    before?.failed("aborted");
    if (this._node) this._receive({ type: "Demand", key, within });
    else this._postpone(key, within, asker);
  }

  /** The asker no longer waits. */
  release(key: SegmentKey, asker: Asker): void {
    if (this._askers.get(segmentId(key)) !== asker) return;
    this._take(key);
    if (this._node) this._receive({ type: "Release", key });
  }

  /** Whether the origin is being asked for a segment. */
  fetching(key: SegmentKey): boolean {
    return this._ranges.busy(key);
  }

  /** A segment that was loaded past us, for sharing; false if it can't be taken. */
  loaded(key: SegmentKey, data: Bytes, { cached, ttfb, took }: Outcome): boolean {
    if (this._over || !this._permit.p2p) return false;
    if (!this._node && this._inbox.length >= MOST_EARLY) return false;
    // It may wait for the node, and several that wait did not come at once.
    this._receive({ type: "Loaded", key, data, cached, ttfb, took, at: seconds() });
    return true;
  }

  /** The player may be elsewhere now. */
  moved(): void {
    if (!this._node || this._over) return;
    try {
      const where = this._options.player.whereabouts();
      const { firstChunk: first_chunk, ...timings } = this._options.stopwatch.timings;
      const watched = { ...where?.watched, ...timings, first_chunk };
      if (where) this._receive({ type: "Playing", ...where, watched });
    } catch (error) {
      this._crash(error);
    }
  }

  // The session's side

  figures(): Figures {
    const figures = { ...noFigures(), ...this._node?.stats, httpBytes: this._httpBytes };
    for (const input of this._inbox) {
      if (input.type === "Loaded") {
        figures[input.cached ? "cacheBytes" : "originBytes"] += input.data.length;
      }
    }
    return figures;
  }

  allow(permit: Permit): void {
    const { p2p } = permit;
    const before = this._permit;
    this._permit = permit;
    const moves = before.mode !== permit.mode;
    if (moves) this._entered = undefined;
    if (before.p2p && (!p2p || moves)) this.part();
    if (this._node) this._receive(this._allowed());
    if (!p2p) {
      this._failAll();
      return;
    }
    void this._options.beginning.then(() => {
      this.resume();
    });
    if (this._first) void this.introduce(this._first.rendition, this._first.sequence);
  }

  /**
   * Leaves the swarm, with the last figures, and keeps what is stored: the page may come back. If
   * it goes, the figures go past the socket as well, which may not get to send them any more.
   */
  part(goes = false): void {
    this._goes = goes;
    this._run((node) => {
      node.farewell();
    });
    this._goes = false;
    this._socket.close();
    this._links.drop();
  }

  /** Comes, or comes back after `part`. */
  resume(): void {
    if (this._permit.p2p && !this._over) this._socket.open();
  }

  close(): void {
    if (this._over) return;
    this.part();
    this._stop();
  }

  // The beginning and the end

  private async _firstPage(
    rendition: string,
    sequence: number,
  ): Promise<RenditionManifest | undefined> {
    const { beginning, endpoint, pins } = this._options;
    await beginning;
    if (this._over || !this._permit.p2p) return undefined;
    return fetchPage(endpoint.manifest(rendition, sequence), pins);
  }

  private _begin(page: RenditionManifest): void {
    if (this._over) return;
    const { content, rendition } = page;
    const site = this._options.site ?? page.site;
    this._identity = { site, content };
    this._socket.aim(content);
    this._node = new Node({ site, content, client: "browser", access: accessOf() }, seconds());
    if (this._permit.p2p) this._socket.open();
    const early = this._inbox;
    this._inbox = [];
    this._receive(this._allowed());
    if (this._device) this._receive(this._device);
    this._page(rendition, page);
    this.moved();
    for (const input of early) this._receive(input);
    for (const demand of this._postponed.splice(0)) demand();
  }

  /** Keeps a demand until there is a node for it, or the time that there was for that is over. */
  private _postpone(key: SegmentKey, within: number, asker: Asker): void {
    const due = seconds() + within;
    this._postponed.push(() => {
      if (this._askers.get(segmentId(key)) !== asker) return;
      this._receive({ type: "Demand", key, within: Math.max(0, due - seconds()) });
    });
    self.setTimeout(
      () => {
        if (this._node || this._askers.get(segmentId(key)) !== asker) return;
        this._take(key);
        asker.failed("missing");
      },
      (within - LEISURE) * 1_000,
    );
  }

  private _introduceLater(rendition: string, sequence: number): void {
    const pause = INTRODUCTIONS[this._introductions++];
    if (pause === undefined || this._over) {
      this.close(); // the origin knows nothing of this: plain HTTP it is
      return;
    }
    this._failAll("missing"); // the next attempt may be too late for them
    this._timer = self.setTimeout(() => void this.introduce(rendition, sequence), pause);
  }

  /** Keeps what comes before there is a node for it. */
  private _keep(input: Input): void {
    if (input.type === "TrackerDown") {
      // What that socket said is void. The tracker waits a few seconds for us to join; until we
      // know what, there is no point in trying again.
      this._inbox = this._inbox.filter(({ type }) => type !== "TrackerSays");
      this._socket.close();
    } else {
      this._inbox.push(input);
    }
  }

  private _stop(): void {
    this._over = true;
    this._unwatch();
    clearTimeout(this._timer);
    this._socket.close();
    this._links.drop();
    this._ranges.abortAll();
    this._failAll();
  }

  /** Without a verifier that works nothing of others' may be used. */
  private _distrust(): void {
    if (this._over) return;
    sayOnce("plain HTTP, no peers: crypto.subtle does not work here.");
    this.close();
  }

  private _crash(error: unknown): void {
    this._stop();
    this._options.crashed(error);
  }

  private _failAll(reason: SourceReason = "aborted"): void {
    const askers = [...this._askers.values()];
    this._askers.clear();
    for (const asker of askers) asker.failed(reason);
  }

  // The loop

  private _receive(input: Input): void {
    if (this._over) return;
    if (input.type === "TrackerSays" && input.message.type === "welcome") {
      this._welcome = input.message;
    }
    if (!this._node) this._keep(input);
    else {
      this._inbox.push(input);
      this._run();
    }
  }

  /** Takes in what has arrived, unless that is being done. */
  private _run(first?: (node: Node) => void): void {
    const { _node: node } = this;
    if (!node || this._busy || this._over) return;
    this._busy = true;
    try {
      first?.(node);
      this._drain(node);
      for (let input = this._next(); input; input = this._next()) {
        node.receive(input, seconds());
        this._drain(node);
      }
      if (node.stats.peerBytes > 0) this._options.stopwatch.mark("firstChunk");
      this._arm(node);
    } catch (error) {
      this._crash(error);
    }
    this._busy = false;
  }

  private _next(): Input | undefined {
    return this._over ? undefined : this._inbox.shift();
  }

  private _drain(node: Node): void {
    while (!this._over) {
      const messages = node.takeMessages();
      const events = node.takeEvents();
      if (messages.length + events.length === 0) return;
      this._send(messages);
      for (const event of events) this._act(event);
    }
  }

  /** To set a timer costs as much as to take in a frame: one that rings too soon is as good. */
  private _arm(node: Node): void {
    const at = node.timerAt();
    if (at === null || at >= this._ringsAt) return;
    clearTimeout(this._timer);
    this._ringsAt = at;
    const wake = (): void => {
      this._ringsAt = Infinity;
      this._run(() => {
        node.onTimer(seconds());
      });
    };
    this._timer = self.setTimeout(wake, Math.max(0, (at - seconds()) * 1_000));
  }

  private _send(messages: readonly Outgoing[]): void {
    const toLinks = [];
    for (const message of messages) {
      if (message.type === "TellTracker") this._tell(message.message);
      else toLinks.push(message);
    }
    this._links.send(toLinks);
  }

  private _tell(message: ToTracker): void {
    this._socket.say(message);
    const { peer, mac } = this._entered ?? {};
    if (!this._goes || message.type !== "report" || !peer || !mac) return;
    try {
      const said = encode({ type: "beacon", peer, mac, report: message });
      navigator.sendBeacon(reportOf(this._socket.url), said);
    } catch {
      // Where there are none, the socket has to be quick enough.
    }
  }

  private _act(event: Event): void {
    switch (event.type) {
      case "SegmentReady":
        this._take(event.key)?.ready(event.data);
        break;
      case "SegmentFailed":
        this._take(event.key)?.failed(event.reason);
        break;
      case "FetchManifest":
      case "FetchRecords":
      case "FetchHashes":
        void this._ask(event);
        break;
      case "FetchRange":
        this._ranges.fetch(event);
        this._options.notice(event);
        break;
      case "AbortRange":
        this._ranges.abort(event.fetch);
        break;
      case "Check":
        void this._check(event);
        break;
      case "Verify":
        void verifies(event.algorithm, event.data, event.key, event.signature).then((ok) => {
          if (ok !== undefined) this._receive({ type: "Checked", check: event.check, ok });
        });
        break;
      case "Prove":
        void this._prove(event);
        break;
      case "MakeOffer":
      case "MakeAnswer":
      case "TakeAnswer":
      case "AddCandidate":
      case "CloseLink":
        this._links.act(event);
        break;
      case "TrackerRefused":
        if (this._isHopeless(event.code)) {
          this._socket.close();
          this._receive({ type: "TrackerDown" }); // what is coming about is off, too
        } else this._socket.drop(event.retryAfter);
        this._options.notice(event);
        break;
      case "TrackerMoved":
        this._socket.move(event.url, event.retryAfter);
        break;
      case "Entered":
        this._entered = event;
        this._options.stopwatch.mark("announce");
        this._options.notice(event);
        break;
      case "LinkUp":
      case "LinkDown":
      case "ChunkRejected":
        this._options.notice(event);
    }
  }

  private _take(key: SegmentKey): Asker | undefined {
    const id = segmentId(key);
    const asker = this._askers.get(id);
    this._askers.delete(id);
    return asker;
  }

  private _allowed(): Allow {
    const { p2p, upload, mode, caps, token } = this._permit;
    return { type: "Allow", p2p, upload, mode, caps, token: token !== undefined };
  }

  /** Whether a refusal will be the same tomorrow, as things stand. */
  private _isHopeless(code: ErrorCode): boolean {
    return HOPELESS.has(code) || (UNPROVED.has(code) && typeof this._permit.token !== "function");
  }

  /** Gets a token, and proves that it is ours; without one there is no use for the socket. */
  private async _prove({ nonce, fresh }: Prove): Promise<void> {
    const { token } = this._permit;
    const { path } = this._options;
    if ((fresh && typeof token !== "function") || !this._identity) return;
    const url = path?.replace(/^(?!https?:\/\/)/, "/media/"); // of media elsewhere the id is a URL
    const credentials = await prove(token, { ...this._identity, url }, nonce);
    if (credentials) this._receive({ type: "Proved", nonce, credentials });
    else if (!fresh && nonce === this._welcome?.nonce) this._socket.drop();
  }

  /**
   * Whether a chunk is what it should be. One digest that does not come may be for a machine that
   * slept: where others come, it is asked for once more.
   */
  private async _check({ check, data, digest }: Check): Promise<void> {
    let ok = await matches(data, digest);
    if (ok === undefined && (await isSound())) ok = await matches(data, digest);
    if (ok === undefined) this._distrust();
    else this._receive({ type: "Checked", check, ok });
  }

  /** Asks the origin for records or hashes. */
  private async _ask(event: FetchManifest | FetchRecords | FetchHashes): Promise<void> {
    const { endpoint, pins } = this._options;
    const { rendition } = event;
    if (event.type === "FetchHashes") {
      const data = (await fetchHashes(endpoint.hashes(rendition, ...event.sequences))) ?? null;
      this._receive({ type: "HashesArrived", rendition, sequences: event.sequences, data });
    } else if (event.type === "FetchRecords") {
      this._page(rendition, await fetchPage(endpoint.records(rendition, ...event.sequences), pins));
    } else {
      this._page(rendition, await fetchPage(endpoint.manifest(rendition, event.sequence), pins));
    }
  }

  /** A page from the origin: only one of what was asked for counts. */
  private _page(rendition: string, page: RenditionManifest | undefined): void {
    const fits = page?.rendition === rendition;
    this._receive(fits ? { type: "ManifestArrived", page } : { type: "ManifestFailed", rendition });
  }

  /** Where a segment lies by its record, of which a playlist that names it may know better. */
  private _locate(key: SegmentKey): Located | undefined {
    const record = this._node?.record(key);
    const playlist = this._options.endpoint.media(key.rendition);
    if (!record || !playlist) return undefined;
    const { href: url } = new URL(record.uri, playlist);
    return { url, offset: record.offset, whole: false };
  }

  private _rtcOptions(): RtcOptions {
    const { mode, relays } = this._entered ?? { ...this._permit, relays: null };
    if (mode === "relay") {
      const { urls = [], username = "", credential = "" } = relays ?? {};
      return { iceServers: urls.length ? [{ urls: [...urls], username, credential }] : [], mode };
    }
    const stun = mode === "lan" ? undefined : this._welcome?.stun;
    // An empty host is the one by which we reached the tracker.
    const url = stun?.replace(/^stun::/, `stun:${new URL(this._socket.url).hostname}:`);
    return { iceServers: url ? [{ urls: url }] : [], mode };
  }
}

/** The core's clock. */
function seconds(): number {
  return performance.now() / 1_000;
}
