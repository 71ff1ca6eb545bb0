/**
 * Who is asked for which chunk, and when: a pure function of what is known now.
 *
 * The promise is that playback is never worse than plain HTTP, and that the origin sends close to
 * one copy. What the player has asked for is in one of these modes:
 *
 *     START     nothing played yet: the origin, at once, exactly like the plain player
 *     URGENT    VOD with less in the buffer than the floor that trust asks for, or any segment whose
 *               *latest start* has come: the origin, at once, for all that is missing
 *     FILLING   VOD otherwise: peers, as long as what they bring is twice what is played; else the
 *               origin joins for the first half of what is missing
 *     LIVE      peers, for as long as patience lasts; then the origin as well, for as much as peers,
 *               as fast as they are now, would bring too late
 *
 * The latest start of a segment is when the origin has to be asked so that the segment still comes
 * in time. What the player has not asked for lies ahead and is asked of peers alone, except for what
 * we hold a *lease* for: the tracker chose us to fetch that for everybody, so we do unless a
 * neighbour holds or loads it. What nobody holds or loads (an *orphan*) is fetched shortly before
 * its latest start by the neighbours in turn, by their rank for the segment; where no tracker gives
 * leases, or there is no time for all their turns, in turn from the beginning.
 *
 * Of peers, what is due soon is asked for first, then what is rare, and of either the rare first: a
 * chunk that a single neighbour holds before those that several do. Of a recording what is played
 * next has to be there before what lies beyond is asked for at all. Of a live stream the rare come
 * even before what is due soon, the newest first, unless it is about to be late: they are what
 * everybody is to send next, and who has nothing to send is of no use to those who wait. Among equals
 * chance decides, and each is as likely as any other: so no two neighbours want the same, and whoever
 * has just fetched a run of chunks for all sends each of them to somebody else.
 */

import { CHUNK_SIZE, segmentId, type SegmentKey, type Span } from "../model";
import { bitOf, firstOf, numbersIn, pick, run, someOf, spansIn, type Mask } from "./bits";
import type { Http } from "./http";
import type { Link, Need } from "./link";
import { earliest } from "./manifest";
import type { Rule } from "./ports";

/** Seconds that each rank waits for the one before it. */
const TURN = 0.4;
/** Ranks beyond this one wait no longer than it. */
const LATEST_TURN = 4;
/** Seconds before its latest start when an orphan is fetched by whoever is first in rank. */
const ORPHAN_LEAD = 1.5;
/** Seconds before that when holders of a lease begin to doubt another one that has begun. */
const STEP_IN = 1.2;
/**
 * Of a recording each holder of a lease waits so many times its delay longer, as far as there is
 * time: what those before it say may be slow to come where a crowd begins.
 */
const LEISURELY = 2;
/**
 * Segments of a recording that are fetched at a time where leases are for more. All are due at
 * once; together each would be slow, and the origin look like one that may not be relied upon.
 */
const AT_ONCE = 2;
/** Seconds before their latest start chunks are asked for before any others. */
const SOON = 2;
/**
 * Of a recording nothing that is played later than in so many seconds is asked for while anything
 * that is played before is to come from peers.
 */
const REACH = 8;
/** While something is due soon so many may be asked for before it that are to be spread, */
const TO_SPREAD = 4;
/** and none in so many seconds before its latest start. */
const UNDISTURBED = 0.7;
/** With fewer links that a single one holds something does not say that it is rare. */
const FEW = 3;
/** Who sends less than so much of what is played is not to be one of the first to have a chunk. */
const SPREADS = 0.5;
/** Seconds that peers have for showing what they can do. */
const PROOF = 1;
/** Peers that fill the buffer bring so many times what is played, or the origin joins. */
const SURPLUS = 2;
/** With so much of its target in the buffer it is enough that it does not shrink. */
const FAIRLY_FULL = 1 / 8;
/** Seconds that peers have for what was out before we came, live. */
const OLD_PATIENCE = 0.5;
/** The part of its usual turn that each rank waits for that. */
const OLD_TURN = 0.25;
/** Of links that bring a chunk within so many seconds none is too slow: they share the work. */
const PROMPT = 0.3;
/** Seconds of round trip beyond the nearest by which a link counts as far. */
const FARTHER = 0.02;
/** Seconds in which what far neighbours hold has to get to near ones. */
const NEAR_FIRST = 3;
/** Seconds more that near ones have for passing it on. */
const NEAR_LAST = 1;
/** What flows is fast enough if it would bring so many times what is missing. */
const MARGIN = 1.2;
/**
 * Peers are waited for as much less as there are neighbours not to be believed; some of these are
 * only slow.
 */
const DOUBT = 1;
const LOOK_AGAIN = 0.25;
const LEAST_IN_ALL = 4;
/** Where our machine has no time for us: of what is not due soon. */
const STARVED_IN_ALL = 2;
/** Wants open at once; fewer where less than half a second's worth. */
const IN_ALL = 16;

/** Chunks that we are to fetch for everybody. */
export interface LeaseView {
  readonly chunks: Mask;
  /** When, unless somebody holds or loads them by then. */
  readonly at: number;
  /** Another holder has begun to fetch them: we step in if that comes to nothing. */
  readonly begun: boolean;
  /** How long those who hold the lease before us go before us. */
  readonly delay: number;
  /** We are also to bring them into our network from peers elsewhere. */
  readonly imports: boolean;
}

/** A segment that is wanted and not whole. Chunks are masks, as in `bits`. */
export interface SegmentView {
  readonly key: SegmentKey;
  /** The player asked for it; otherwise it lies ahead. */
  readonly demanded: boolean;
  /** When the play head gets there. */
  readonly deadline: number;
  /** When it was first wanted; of a live segment, when we first knew its record. */
  readonly since: number;
  /** How many it has. */
  readonly chunks: number;
  /** Those that have not arrived and are asked of nobody. */
  missing: Mask;
  /** Those that a link has been asked for, and the origin not. */
  asked: Mask;
  /** Those that the origin has been asked for and is late with, and that no link was asked for. */
  late: Mask;
  /** Whether the origin is late with all that it is still to bring, whoever else was asked. */
  readonly silent: boolean;
  /** Until when the origin counts as bringing some of it, late or not, unless more of it comes. */
  readonly comesUntil: number;
  /** Of what has not arrived, whoever was asked for it. */
  readonly missingBytes: number;
  /** Our rank among ourselves and the neighbours for it. */
  readonly rank: number;
  /** What neighbours are loading from the origin. */
  readonly loading: Mask;
  /** Until when that is to be believed. */
  readonly loadingUntil: number;
  /** Whether we are fetching some of it from the origin. */
  fetching: boolean;
  /** Whether the origin has brought, or is bringing, some of it. */
  readonly helped: boolean;
  /** It was out before we came: a plain player would fill its buffer with it at once. */
  readonly old: boolean;
  /** Before this the origin is not asked again: it has just failed us. */
  readonly originAfter: number;
  readonly leases: readonly LeaseView[];
}

/** A link that can be asked. */
export type LinkView = Readonly<
  Pick<Link, "number" | "inFlight" | "window" | "rate" | "rtt" | "busyUntil" | "received" | "isCredible" | "held">
>;

/** All that the decision depends on. */
export interface View {
  /** Whether a viewer waits for his first segment. */
  readonly starting: boolean;
  readonly live: boolean;
  /** Seconds of media in the player's buffer, ahead of the play head. */
  readonly buffer: number;
  /** Seconds that the player wants to have there. */
  readonly target: number;
  /** Seconds that have to be there for peers to be waited for. */
  readonly floor: number;
  /** The share of a live segment's time until its latest start in which peers are waited for. */
  readonly patience: number;
  /** Whether a tracker gives leases to us and our neighbours. */
  readonly guided: boolean;
  /** Bytes a second that we can send. */
  readonly uplink: number;
  /** Whether peers are named to bring what comes out into our network. */
  readonly sheltered: boolean;
  /** Until when our machine counts as one that has no time for us. */
  readonly starvedUntil: number;
  /** Until when it is worth waiting for a first link. */
  readonly hopefulUntil: number;
  /** Bytes a second of the media. */
  readonly bitrate: number;
  /** Bytes a second that peers have brought in the last second. */
  readonly goodput: number;
  /** Since when a want has been open without a pause; infinity if none is. */
  readonly askingSince: number;
  readonly http: Http;
  /** The earlier deadline first. */
  readonly segments: readonly SegmentView[];
  readonly links: readonly LinkView[];
  /** Which to choose among equals. */
  readonly salt: number;
}

/** Ask a link for a chunk. */
export interface AskPeer {
  readonly type: "AskPeer";
  readonly link: number;
  readonly key: SegmentKey;
  readonly chunk: number;
  readonly need: Need;
}

/** Ask the origin for a run of chunks. */
export interface AskOrigin {
  readonly type: "AskOrigin";
  readonly key: SegmentKey;
  readonly chunks: Span;
  readonly rule: Rule;
  /** Peers had been trusted with it. */
  readonly rescue: boolean;
}

/** What to do now, and when to think again if nothing happens before. */
export interface Plan {
  readonly asks: readonly (AskPeer | AskOrigin)[];
  readonly wakeAt: number | null;
}

/** When the origin has to be asked at the latest. */
export function latestStart({ deadline, missingBytes }: SegmentView, http: Http): number {
  return deadline - http.takes(missingBytes);
}

/** Decide. */
export function plan(view: View, now: number): Plan {
  const wakes: number[] = [];
  // Nothing else may take its share of the line before there is a picture.
  const ask = view.starting ? askAll : askOrigin;
  const asks: (AskPeer | AskOrigin)[] = view.segments.flatMap((segment) =>
    ask(segment, wakes, now, view),
  );
  if (!view.starting) asks.push(...new Room(view, now, wakes).ask());
  return { asks, wakeAt: earliest(wakes.filter((at) => at > now && at < Infinity)) };
}

// The origin

/**
 * What is to come from the origin now, which is then missing no more; and in `wakes` when more may
 * have to.
 */
function askOrigin(segment: SegmentView, wakes: number[], now: number, view: View): AskOrigin[] {
  if (segment.demanded) {
    const [allAt, rescue] = everythingAt(segment, view, now);
    if (allAt <= now) {
      const rule = isLow(view) ? "floor" : "latest";
      return runs(segment, segment.missing | segment.asked, rule, rescue);
    }
    wakes.push(allAt);
  }
  const asks = segment.demanded && view.live ? makeUp(segment, view, wakes, now) : [];
  const honest = credible(view.links, now);
  let orphans = segment.missing & ~heldBy(honest, segmentId(segment.key));
  if (orphans && segment.loading && segment.loadingUntil > now) {
    orphans &= ~segment.loading;
    wakes.push(segment.loadingUntil);
  }
  if (orphans) {
    if (hasRoomFor(segment, view, now)) {
      asks.push(...fetchLeased(segment, orphans, view, wakes, now));
    }
    orphans &= segment.missing;
  }
  if (!segment.demanded) return asks;
  if (orphans) {
    const at = Math.max(turnAt(segment, view), segment.originAfter);
    if (at <= now) asks.push(...runs(segment, orphans, "turn"));
    else wakes.push(at);
  }
  if (!view.live && !segment.fetching && segment.missing | segment.asked) {
    const joinsAt = Math.max(view.askingSince + PROOF, segment.originAfter);
    const short = joinsAt <= now ? fallsShort(segment, view, now) : 0n;
    if (short) asks.push(...runs(segment, short, "joins"));
    else wakes.push(joinsAt > now ? joinsAt : now + LOOK_AGAIN);
  }
  return asks;
}

/** Whether there is too little in the buffer for peers to be waited for. */
function isLow({ live, buffer, floor }: View): boolean {
  return !live && buffer < floor;
}

/** How many times what is played peers have to bring. */
function surplus({ buffer, target }: View): number {
  return buffer < FAIRLY_FULL * target ? SURPLUS : 1;
}

/** What the player asks for comes from the origin. */
function askAll(segment: SegmentView, wakes: number[], now: number): AskOrigin[] {
  if (!segment.demanded) return [];
  if (segment.originAfter <= now) {
    return runs(segment, segment.missing | segment.asked, "start");
  }
  wakes.push(segment.originAfter);
  return [];
}

/** When the origin is to be asked for all that is missing, and whether that is a rescue. */
export function everythingAt(
  segment: SegmentView,
  view: View,
  now: number,
): readonly [at: number, rescue: boolean] {
  const { originAfter } = segment;
  if (isLow(view)) return [Math.max(now, originAfter), false];
  const latest = latestStart(segment, view.http);
  const tried = segment.asked !== 0n && view.askingSince + PROOF <= now;
  const late = tried && !segment.helped && view.starvedUntil <= now;
  const rescue = view.live ? view.links.length > 0 : late;
  return [Math.max(latest, originAfter), rescue];
}

/** Patience is over: the origin brings as much as peers, as fast as they are now, cannot. */
function makeUp(segment: SegmentView, view: View, wakes: number[], now: number): AskOrigin[] {
  const { key, missing, asked, old } = segment;
  const latest = latestStart(segment, view.http);
  const at = Math.max(patientUntil(segment, view, latest, now), segment.originAfter);
  if (at > now) {
    wakes.push(at);
    return [];
  }
  const left = missing | asked;
  const brought = (view.goodput * Math.max(latest - now, 0)) / (old ? SURPLUS : MARGIN) / CHUNK_SIZE;
  const most = numbersIn(left).length - Math.floor(brought);
  const held = heldBy(view.links, segmentId(key));
  let short = 0n;
  for (const some of [missing & ~held, missing & held, asked]) {
    short |= someOf(some, most - numbersIn(short).length, view.salt);
  }
  if (short !== left) wakes.push(now + LOOK_AGAIN);
  return runs(segment, short, "patience");
}

/** How long a live segment is left to peers, however slow they are. */
function patientUntil(segment: SegmentView, view: View, latest: number, now: number): number {
  const { since, old } = segment;
  if (old) return since + OLD_PATIENCE;
  const doubted = view.links.length - credible(view.links, now).length;
  const doubtful = doubted / Math.max(view.links.length, 1);
  const patience = view.patience * Math.max(1 - DOUBT * doubtful, 0);
  return since + patience * Math.max(latest - since, 0);
}

/** When it is our turn to ask the origin for chunks that no neighbour holds. */
export function turnAt(segment: SegmentView, view: View): number {
  if (!view.links.length) return view.hopefulUntil;
  const turn = Math.min(segment.rank, LATEST_TURN) * TURN;
  if (segment.old) return segment.since + turn * OLD_TURN;
  if (view.guided) {
    return Math.max(latestStart(segment, view.http) - ORPHAN_LEAD, segment.since) + turn;
  }
  return segment.since + turn;
}

/** When it is our turn to act on a lease: in any case before it is everybody's turn. */
export function leaseAt(lease: LeaseView, segment: SegmentView, view: View): number {
  const { at, begun, delay } = lease;
  const everybodys = latestStart(segment, view.http) - ORPHAN_LEAD;
  if (begun) return Math.min(at, everybodys + Math.min(delay - STEP_IN, 0));
  if (view.live) return at;
  return Math.max(at, Math.min(at + LEISURELY * delay, everybodys));
}

/** Whether one more segment may be fetched for all: after what we need ourselves. */
function hasRoomFor(leased: SegmentView, { live, segments, http }: View, now: number): boolean {
  if (live || leased.fetching) return true;
  if (segments.filter(({ fetching }) => fetching).length >= AT_ONCE) return false;
  return !segments.some((segment) => hasLine(segment, http, now));
}

/** Whether the origin has no time to lose with what it brings, and does bring it. */
function hasLine(segment: SegmentView, http: Http, now: number): boolean {
  const { demanded, fetching, late, silent } = segment;
  return demanded && fetching && !late && !silent && latestStart(segment, http) <= now;
}

function fetchLeased(
  segment: SegmentView,
  orphans: Mask,
  view: View,
  wakes: number[],
  now: number,
): AskOrigin[] {
  let due = 0n;
  for (const lease of segment.leases) {
    const chunks = lease.imports ? 0n : lease.chunks & orphans; // those are for peers alone
    const at = Math.max(leaseAt(lease, segment, view), segment.originAfter);
    if (at <= now) due |= chunks;
    else if (chunks) wakes.push(at);
  }
  return runs(segment, due, "lease");
}

/**
 * Where peers are too slow the origin joins in: for the first half of what is left, or less if
 * peers, half as fast as they are now, bring the rest before its latest start; nothing where it is
 * our machine that is slow.
 */
function fallsShort(segment: SegmentView, view: View, now: number): Mask {
  if (view.goodput >= surplus(view) * view.bitrate || view.starvedUntil > now) return 0n;
  const left = segment.missing | segment.asked;
  const rest = numbersIn(left).length;
  const slack = latestStart(segment, view.http) - now;
  const comes = (view.goodput * slack) / SURPLUS / CHUNK_SIZE;
  return firstOf(left, Math.ceil(Math.min(rest / 2, rest - comes)));
}

function runs(segment: SegmentView, chunks: Mask, rule: Rule, rescue = false): AskOrigin[] {
  segment.missing &= ~chunks;
  segment.asked &= ~chunks;
  segment.fetching ||= chunks !== 0n;
  const { key } = segment;
  return spansIn(chunks).map((span) => ({ type: "AskOrigin", key, chunks: span, rule, rescue }));
}

// Peers

/** A link that may be asked for more. */
interface Free {
  readonly link: LinkView;
  readonly far: boolean;
  open: number;
}

/** What may still be asked of whom. */
class Room {
  private _free: Free[] = [];
  private _left: number;
  /** Those that are near, busy or not. */
  private readonly _near: readonly LinkView[];

  constructor(
    private readonly _view: View,
    private readonly _now: number,
    private readonly _wakes: number[],
  ) {
    const { goodput, links } = _view;
    const most = Math.floor(LEAST_IN_ALL + goodput / 2 / CHUNK_SIZE);
    // What is asked of somebody who may be lying keeps nobody else from being asked.
    const proven = credible(links, _now).filter((link) => link.received);
    this._left = Math.min(
      Math.min(most, IN_ALL) - openIn(proven),
      IN_ALL - openIn(links),
    );
    const horizon = horizonOf(_view);
    this._near = credible(links, _now).filter((link) => link.rtt <= horizon);
    for (const link of links) {
      const far = link.rtt > horizon;
      if (link.busyUntil > _now) _wakes.push(link.busyUntil);
      else if (link.inFlight < link.window) this._free.push({ link, far, open: link.inFlight });
    }
  }

  /** Ask for what is to be spread and what is due soon, then for what is rare, then for the rest. */
  ask(): AskPeer[] {
    const asks = this._spread();
    const { live, links, segments, starvedUntil, http } = this._view;
    const reach = this._reach();
    const later: SegmentView[] = [];
    for (const segment of segments) {
      if (this._left <= 0 || !this._free.length) return asks;
      const comesNext = segment.demanded || (!live && segment.deadline <= reach);
      const latest = comesNext ? latestStart(segment, http) : Infinity;
      if (hasLine(segment, http, this._now)) return asks;
      if (latest - SOON <= this._now) {
        asks.push(...this._take(segment, segment.missing & this._rare(segment.key), "soon"));
        asks.push(...this._take(segment, segment.missing | segment.late, "soon"));
      } else if (segment.deadline <= reach) {
        later.push(segment);
      }
    }
    if (!live && starvedUntil > this._now) {
      this._wakes.push(starvedUntil);
      this._left = Math.min(this._left, STARVED_IN_ALL - openIn(links) - asks.length);
    }
    for (const segment of later) {
      asks.push(...this._take(segment, segment.missing & this._rare(segment.key)));
    }
    for (const segment of later) {
      asks.push(...this._take(segment, segment.missing | segment.late));
    }
    return asks;
  }

  /** When what is asked for is played at the latest, but for what is demanded and due soon. */
  private _reach(): number {
    const { live, links, segments } = this._view;
    if (live) return Infinity;
    if (segments.some((segment) => this._comesInHaste(segment))) return -Infinity;
    const end = this._now + REACH;
    const honest = credible(links, this._now);
    const comes = segments.some(
      ({ key, deadline, missing, asked, loading, loadingUntil }) =>
        deadline <= end &&
        (asked || missing & heldBy(honest, segmentId(key)) || (loadingUntil > this._now && missing & loading)),
    );
    return comes ? end : Infinity;
  }

  /**
   * Whether the origin is bringing, of a recording, what the player has to have soon: what is for
   * later would fill the line, as fast as peers are, and the origin be late.
   */
  private _comesInHaste(segment: SegmentView): boolean {
    const { demanded, comesUntil } = segment;
    const latest = latestStart(segment, this._view.http);
    const hasty = demanded && latest - SOON <= this._now && comesUntil > this._now;
    if (hasty) this._wakes.push(comesUntil);
    return hasty;
  }

  /**
   * Ask for what a single neighbour holds of a live stream, if we can pass it on. Where there are
   * importers they see to it.
   */
  private _spread(): AskPeer[] {
    const { live, sheltered, uplink, bitrate, links, segments, http } = this._view;
    if (!live || sheltered || links.length < FEW || uplink < SPREADS * bitrate) return [];
    const demanded = segments.filter((segment) => segment.demanded);
    const starts = demanded.flatMap((segment) => (segment.missing ? [latestStart(segment, http)] : []));
    const first = Math.min(...starts);
    const late = first - UNDISTURBED <= this._now;
    if (late || demanded.some((segment) => hasLine(segment, http, this._now))) return [];
    const kept = first - SOON <= this._now ? Math.max(this._left - TO_SPREAD, 0) : 0;
    this._left -= kept;
    const asks = [...segments].reverse().flatMap((segment) => {
      const rare = segment.old ? 0n : segment.missing & this._rare(segment.key);
      return this._take(segment, rare, "soon");
    });
    this._left += kept;
    return asks;
  }

  /** The chunks that exactly one neighbour holds, busy or not. */
  private _rare(key: SegmentKey): Mask {
    const id = segmentId(key);
    let once = 0n;
    let twice = 0n;
    for (const { held } of this._view.links) {
      const theirs = held.get(id) ?? 0n;
      twice |= once & theirs;
      once |= theirs;
    }
    return once & ~twice;
  }

  private _take(segment: SegmentView, some: Mask, usually: Need = "usual"): AskPeer[] {
    const { key } = segment;
    const id = segmentId(key);
    const need = this._isSpare(segment) ? "spare" : usually;
    const asks: AskPeer[] = [];
    const imports = this._imports(segment);
    const abroad = this._abroad(segment, imports);
    let chunks = some & this._offered(id, abroad);
    while (chunks && this._left > 0) {
      const chunk = pick(chunks, this._view.salt);
      const bit = bitOf(chunk);
      const best = this._best(id, bit, abroad);
      if (!best) break;
      const { link } = best;
      best.open += 1;
      this._left -= 1;
      segment.missing &= ~bit;
      segment.late &= ~bit;
      chunks &= ~bit;
      const hurry = need === "usual" && imports & bit;
      asks.push({ type: "AskPeer", link: link.number, key, chunk, need: hurry ? "imports" : need });
      if (best.open >= link.window) {
        this._free = this._free.filter((other) => other !== best);
        chunks &= this._offered(id, abroad);
      }
    }
    return asks;
  }

  /** Whether it can wait: the plain player would not ask for it yet. */
  private _isSpare({ demanded, deadline }: SegmentView): boolean {
    const { live, target } = this._view;
    return !live && !demanded && deadline - this._now > target;
  }

  /** The chunks that we are to bring into our network, or as far as whoever is to. */
  private _imports({ leases }: SegmentView): Mask {
    const imported = leases.filter(({ imports }) => imports);
    this._wakes.push(...imported.map((lease) => lease.at));
    const ours = imported.filter((lease) => lease.at <= this._now);
    return ours.reduce((some, { chunks }) => some | chunks, 0n);
  }

  /**
   * The chunks that far links may be asked for: all once near ones had time or time runs short,
   * before that what we are to import and no near one holds.
   */
  private _abroad(segment: SegmentView, imports: Mask): Mask {
    const { sheltered, live, http } = this._view;
    const all = run(0, segment.chunks - 1);
    if (!sheltered || (segment.demanded && !live)) return all;
    if (segment.demanded) {
      const shortAt = latestStart(segment, http) - SOON;
      if (shortAt <= this._now) return all;
      this._wakes.push(shortAt);
    }
    const at = segment.since + NEAR_FIRST + Math.min(segment.rank, LATEST_TURN) * TURN;
    const lastAt = at + NEAR_LAST;
    if (lastAt <= this._now) return all;
    this._wakes.push(at, lastAt);
    return (at <= this._now ? all : imports) & ~heldBy(this._near, segmentId(segment.key));
  }

  /** The chunks that a free link holds; `abroad` are those for which far ones count. */
  private _offered(id: string, abroad: Mask): Mask {
    return this._free.reduce((all, { link, far }) => {
      const held = link.held.get(id) ?? 0n;
      return all | (far ? held & abroad : held);
    }, 0n);
  }

  /** The free holder whose turn it is. */
  private _best(id: string, bit: Mask, abroad: Mask): Free | undefined {
    const holders = this._free.filter(
      ({ link, far }) => (link.held.get(id) ?? 0n) & bit && (!far || bit & abroad),
    );
    return holders.sort((a, b) => before(turnOf(a), turnOf(b)))[0];
  }
}

/**
 * Who is asked first: of those that are fast enough a near one, of these whoever has brought the
 * least so far, then the faster ones.
 */
function turnOf({ link, open, far }: Free): readonly number[] {
  const takes = ((open + 1) * CHUNK_SIZE) / link.rate;
  if (takes <= PROMPT) return [0, +far, link.received + open * CHUNK_SIZE, link.number];
  return [takes, +far, 0, link.number];
}

/**
 * The round trip beyond which a link is far; infinity if nobody says that there is anything to be
 * gained.
 */
function horizonOf({ sheltered, links }: View): number {
  const known = links.map(({ rtt }) => rtt).filter((rtt) => rtt);
  return sheltered ? Math.min(...known) + FARTHER : Infinity;
}

function before(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return (a[at] ?? 0) - (b[at] ?? 0);
}

function openIn(links: readonly LinkView[]): number {
  return links.reduce((sum, { inFlight }) => sum + inFlight, 0);
}

/** Those whose word may be waited for. */
function credible(links: readonly LinkView[], now: number): LinkView[] {
  return links.filter((link) => link.isCredible(now));
}

/** What any of these links holds of a segment. */
function heldBy(links: readonly LinkView[], id: string): Mask {
  return links.reduce((all, { held }) => all | (held.get(id) ?? 0n), 0n);
}
