/**
 * The loop that drives a node in a browser: feed, drain, send, arm one timer again.
 *
 * A node belongs to one content, whose id stands in the manifest. So a runner begins with nothing
 * but the tracker's socket; what that says is kept until the first page of a manifest has come.
 * Should anything in here throw, the runner is over and everybody is told to use plain HTTP.
 */

import { Node } from "./core/node";
import type {
  ChunkRejected,
  Entered,
  Event,
  Input,
  LinkDown,
  LinkUp,
  Outgoing,
  TrackerRefused,
} from "./core/ports";
import { matches } from "./digest";
import type { Endpoint } from "./endpoint";
import { Links } from "./links";
import { fetchHashes, fetchPage } from "./manifests";
import type { Meters } from "./meters";
import { segmentId, type Bytes, type SegmentKey } from "./model";
import type { Player } from "./player";
import { Ranges } from "./ranges";
import type { RtcOptions } from "./rtc";
import { noFigures, type Figures, type Stopwatch } from "./stats";
import { TrackerSocket } from "./tracker-socket";
import type { RenditionManifest } from "./wire/manifest";

/** Milliseconds before each new attempt to learn what the content is. */
const INTRODUCTIONS = [1_000, 4_000, 16_000];

/** Inputs that wait for the node, beyond which segments are not kept for it. */
const MOST_EARLY = 12;

/** Who waits for a segment. */
export interface Asker {
  /** Here it is. `fromHttp` if all of it came by HTTP just now. */
  ready(data: Bytes, fromHttp: boolean): void;
  /** It is to be loaded past us. */
  failed(): void;
  /** HTTP was asked for some of it, or has brought so many bytes more. */
  progress(bytes: number): void;
}

/** What the node tells to whom it may concern. */
export type Notice = Entered | LinkUp | LinkDown | ChunkRejected | TrackerRefused;

/** What the viewer and the site allow at the moment. */
export interface Permit {
  readonly p2p: boolean;
  readonly upload: boolean;
  /** Only links within the local network. */
  readonly hostOnly: boolean;
}

export interface RunnerOptions {
  readonly endpoint: Endpoint;
  /** The site's id; the manifest names it, too. */
  readonly site: string | undefined;
  readonly player: Player;
  readonly meters: Meters;
  readonly stopwatch: Stopwatch;
  readonly notice: (notice: Notice) => void;
  /** Something of ours threw, and the runner is over. */
  readonly crashed: (error: unknown) => void;
}

export class Runner {
  private node: Node | undefined;
  private content = "";
  private permit: Permit = { p2p: false, upload: false, hostOnly: false };
  private stun: string | null | undefined;
  private inbox: Input[] = [];
  private readonly askers = new Map<string, Asker>();
  private readonly socket: TrackerSocket;
  private readonly links: Links;
  private readonly ranges: Ranges;
  private httpBytes = 0;
  private introductions = 0;
  private introducing = false;
  private busy = false;
  private over = false;
  private timer = 0;

  constructor(private readonly options: RunnerOptions) {
    const { endpoint, meters, player, stopwatch } = options;
    const tell = (input: Input): void => {
      this.receive(input);
    };
    this.socket = new TrackerSocket(endpoint.tracker.href, tell);
    this.links = new Links(() => this.rtcOptions(), stopwatch, tell);
    this.ranges = new Ranges(player, meters, {
      tell,
      progress: (key, bytes) => this.askers.get(segmentId(key))?.progress(bytes),
      count: (bytes) => (this.httpBytes += bytes),
    });
  }

  // The player's side

  /** A rendition is known by name: learn which content it belongs to, unless that is known. */
  async introduce(rendition: string, sequence: number): Promise<void> {
    if (this.node || this.introducing || this.over || !this.permit.p2p) return;
    this.introducing = true;
    const page = await fetchPage(this.options.endpoint, rendition, sequence);
    this.introducing = false;
    if (page?.rendition === rendition) this.begin(page);
    else this.introduceLater(rendition, sequence);
  }

  /** Whether a segment may be asked for. */
  knows(key: SegmentKey): boolean {
    return this.permit.p2p && this.node?.knows(key) === true;
  }

  /** Asks for a segment that will be played in `within` seconds. */
  demand(key: SegmentKey, within: number, asker: Asker): void {
    const id = segmentId(key);
    const before = this.askers.get(id);
    this.askers.set(id, asker);
    before?.failed();
    this.receive({ type: "Demand", key, within });
  }

  /** The asker no longer waits. */
  release(key: SegmentKey, asker: Asker): void {
    if (this.askers.get(segmentId(key)) !== asker) return;
    this.askers.delete(segmentId(key));
    this.receive({ type: "Release", key });
  }

  /** Whether the origin is being asked for a segment. */
  fetching(key: SegmentKey): boolean {
    return this.ranges.busy(key);
  }

  /** A segment that was loaded past us, for sharing; false if it can't be taken. */
  loaded(key: SegmentKey, data: Bytes, cached: boolean): boolean {
    if (this.over || !this.permit.p2p) return false;
    if (!this.node && this.inbox.length >= MOST_EARLY) return false;
    this.receive({ type: "Loaded", key, data, cached });
    return true;
  }

  /** The player may be elsewhere now. */
  moved(): void {
    const where = this.options.player.whereabouts();
    if (where && this.node) this.receive({ type: "Playing", ...where });
  }

  // The session's side

  figures(): Figures {
    const figures = { ...noFigures(), ...this.node?.stats, httpBytes: this.httpBytes };
    for (const input of this.inbox) {
      if (input.type === "Loaded") {
        figures[input.cached ? "cacheBytes" : "originBytes"] += input.data.length;
      }
    }
    return figures;
  }

  allow(permit: Permit): void {
    const { p2p, upload } = permit;
    const before = this.permit;
    this.permit = permit;
    if (before.p2p && (!p2p || before.hostOnly !== permit.hostOnly)) this.part();
    if (this.node) this.receive({ type: "Allow", p2p, upload });
    if (p2p) this.socket.open();
    else this.failAll();
  }

  /** Leaves the swarm, with the last figures, and keeps what is stored: the page may come back. */
  part(): void {
    this.run((node) => {
      node.farewell();
    });
    this.socket.close();
    this.links.drop();
  }

  /** Comes back after `part`. */
  resume(): void {
    if (this.permit.p2p && !this.over) this.socket.open();
  }

  close(): void {
    if (this.over) return;
    this.part();
    this.stop();
  }

  // The beginning and the end

  private begin(page: RenditionManifest): void {
    const { content, rendition } = page;
    const site = this.options.site ?? page.site;
    this.content = content;
    this.node = new Node({ site, content, client: "browser" }, seconds());
    const { p2p, upload } = this.permit;
    const early = this.inbox;
    this.inbox = [];
    this.receive({ type: "Allow", p2p, upload });
    this.page(rendition, page);
    this.moved();
    for (const input of early) this.receive(input);
  }

  private introduceLater(rendition: string, sequence: number): void {
    const pause = INTRODUCTIONS[this.introductions++];
    if (pause === undefined || this.over) {
      this.close(); // the origin knows nothing of this: plain HTTP it is
      return;
    }
    this.timer = self.setTimeout(() => void this.introduce(rendition, sequence), pause);
  }

  /** Keeps what comes before there is a node for it. */
  private keep(input: Input): void {
    if (input.type === "TrackerDown") {
      // What that socket said is void; the next one begins anew.
      this.inbox = this.inbox.filter(({ type }) => type !== "TrackerSays");
    } else {
      this.inbox.push(input);
    }
  }

  private stop(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.socket.close();
    this.links.drop();
    this.ranges.abortAll();
    this.failAll();
  }

  private failAll(): void {
    const askers = [...this.askers.values()];
    this.askers.clear();
    for (const asker of askers) asker.failed();
  }

  // The loop

  private receive(input: Input): void {
    if (this.over) return;
    if (input.type === "TrackerSays" && input.message.type === "welcome") {
      this.stun = input.message.stun;
    }
    if (!this.node) this.keep(input);
    else {
      this.inbox.push(input);
      this.run();
    }
  }

  /** Takes in what has arrived, unless that is being done. */
  private run(first?: (node: Node) => void): void {
    const { node } = this;
    if (!node || this.busy || this.over) return;
    this.busy = true;
    try {
      first?.(node);
      this.drain(node);
      for (let input = this.next(); input; input = this.next()) {
        node.receive(input, seconds());
        this.drain(node);
      }
      if (node.stats.peerBytes > 0) this.options.stopwatch.mark("firstChunk");
      this.arm(node);
    } catch (error) {
      this.stop();
      this.options.crashed(error);
    }
    this.busy = false;
  }

  private next(): Input | undefined {
    return this.over ? undefined : this.inbox.shift();
  }

  private drain(node: Node): void {
    while (!this.over) {
      const messages = node.takeMessages();
      const events = node.takeEvents();
      if (messages.length + events.length === 0) return;
      this.send(messages);
      for (const event of events) this.act(event);
    }
  }

  private arm(node: Node): void {
    clearTimeout(this.timer);
    const at = node.timerAt();
    if (at === null) return;
    const wake = (): void => {
      this.run(() => {
        node.onTimer(seconds());
      });
    };
    this.timer = self.setTimeout(wake, Math.max(0, (at - seconds()) * 1_000));
  }

  private send(messages: readonly Outgoing[]): void {
    const toLinks = [];
    for (const message of messages) {
      if (message.type === "TellTracker") this.socket.say(message.message);
      else toLinks.push(message);
    }
    this.links.send(toLinks);
  }

  private act(event: Event): void {
    switch (event.type) {
      case "SegmentReady":
        this.take(event.key)?.ready(event.data, event.originBytes === event.data.length);
        break;
      case "SegmentFailed":
        this.take(event.key)?.failed();
        break;
      case "FetchManifest":
        void fetchPage(this.options.endpoint, event.rendition, event.sequence).then((page) => {
          this.page(event.rendition, page);
        });
        break;
      case "FetchHashes":
        void fetchHashes(this.options.endpoint, event.rendition, event.sequences).then((data) => {
          const { rendition, sequences } = event;
          this.receive({ type: "HashesArrived", rendition, sequences, data: data ?? null });
        });
        break;
      case "FetchRange":
        this.ranges.fetch(event);
        break;
      case "AbortRange":
        this.ranges.abort(event.fetch);
        break;
      case "Check":
        void matches(event.data, event.digest).then((ok) => {
          this.receive({ type: "Checked", check: event.check, ok });
        });
        break;
      case "MakeOffer":
      case "MakeAnswer":
      case "TakeAnswer":
      case "AddCandidate":
      case "CloseLink":
        this.links.act(event);
        break;
      case "TrackerRefused":
        this.socket.close(event.retryAfter ?? undefined);
        this.options.notice(event);
        break;
      case "Entered":
        this.options.stopwatch.mark("announce");
        this.options.notice(event);
        break;
      case "LinkUp":
      case "LinkDown":
      case "ChunkRejected":
        this.options.notice(event);
    }
  }

  private take(key: SegmentKey): Asker | undefined {
    const id = segmentId(key);
    const asker = this.askers.get(id);
    this.askers.delete(id);
    return asker;
  }

  /** An answer to `FetchManifest`: only a page of what was asked for counts as one. */
  private page(rendition: string, page: RenditionManifest | undefined): void {
    const fits = page?.rendition === rendition && page.content === this.content;
    this.receive(fits ? { type: "ManifestArrived", page } : { type: "ManifestFailed", rendition });
  }

  private rtcOptions(): RtcOptions {
    const { stun } = this;
    const { hostOnly } = this.permit;
    // An empty host is the one by which we reached the tracker.
    const url = stun?.replace(/^stun::/, `stun:${this.options.endpoint.tracker.hostname}:`);
    return { iceServers: url ? [{ urls: url }] : [], hostOnly };
  }
}

/** The core's clock. */
function seconds(): number {
  return performance.now() / 1_000;
}
