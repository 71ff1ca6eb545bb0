/**
 * What a node looks at when it decides: which segments it wants, and all that the plan depends on.
 *
 * Wanted is what the player has asked for, what lies ahead of that and a neighbour can bring, and
 * what we hold a lease for:
 *
 *     held | asked for | ahead: of peers, as far as the store has room ...
 *                      |-- leases: a little further than the player itself would buffer --|
 */

import { forgetOldest, segmentId, type SegmentKey } from "../model";
import type { Leases } from "./leases";
import type { Neighbours } from "./neighbours";
import type { Playhead } from "./playhead";
import type { Playing } from "./ports";
import { hash32, rankOf } from "./rank";
import type { LinkView, SegmentView, View } from "./scheduler";
import { CONNECT_TIMEOUT, type Signaling } from "./signaling";
import type { Transfer } from "./transfer";
import type { Transfers } from "./transfers";
import type { Trust } from "./trust";

/** Segments ahead of what the player has asked for that peers may bring. */
const MOST_AHEAD = 512;
/** Of these, how many may be on their way at once. */
const OPEN_AHEAD = 6;
/** And so many are looked at to find them: what they must hash to has to be known as well. */
const KNOWN_AHEAD = 12;
/**
 * Segments by which leases reach further than the player's own buffer: what they are for has to be
 * on its way before the first of a crowd asks for it by itself.
 */
const EARLY = 2;
/** Seconds a segment, where no record says otherwise. */
const USUAL_DURATION = 4;
/** Seconds after the start for which a first link is waited for, where there is time to wait. */
const HOPE = 2;
/** Seconds for which neighbours are awaited to tell the record of a segment that has come out. */
const HEARSAY = 2;
const MOST_SEEN = 64;

/** A run of segments of a rendition that are held whole. */
interface Whole {
  readonly rendition: string;
  readonly first: number;
  readonly last: number;
}

const NOTHING: Whole = { rendition: "", first: 0, last: -1 };

/** Looks around for a node. */
export class Survey {
  p2p = true;
  upload = true;
  /** Until when our machine counts as one that has no time for us. */
  starvedUntil = 0;
  /** When the playlist first named each of the newest segments. */
  private readonly _seen = new Map<number, number>();
  private readonly _ranks = new Map<string, number>();
  private _whole = NOTHING;
  private _salt = 0;

  /** The newest segment of a live stream that was out when we came. */
  private _firstSeen = -1;

  constructor(
    private readonly _signaling: Signaling,
    private readonly _neighbours: Neighbours,
    private readonly _transfers: Transfers,
    private readonly _playhead: Playhead,
    private readonly _trust: Trust,
    private readonly _leases: Leases,
    private readonly _born: number,
  ) {}

  /** There are other neighbours than before. */
  forgetRanks(): void {
    this._ranks.clear();
  }

  /** Sequences may begin anew. */
  forgetSeen(): void {
    this._seen.clear();
  }

  /** Something has left the store. */
  forgetHeld(): void {
    this._whole = NOTHING;
  }

  /** Seconds of a segment, as far as we know. */
  duration(rendition: string): number {
    return this._transfers.manifest(rendition).usualDuration() / 1_000 || USUAL_DURATION;
  }

  /** Whether there is somebody to bring anything, or may be in a moment. */
  hasCompany(now: number): boolean {
    return this._neighbours.up().length > 0 || this._hopefulUntil(now) > now;
  }

  // What is wanted

  /** The segments that lie ahead and should be on their way, the nearest first. */
  wanted(now: number): SegmentKey[] {
    const { playing } = this._playhead;
    if (!playing) return [];
    this._noteSeen(playing, now);
    const ahead = this._ahead(playing);
    const ids = new Set(ahead.map(segmentId));
    return [...ahead, ...this._leased(playing, now).filter((key) => !ids.has(segmentId(key)))];
  }

  /**
   * The segments whose records and hashes are needed, and until when those of the newest may wait to
   * be told by neighbours.
   */
  needed(
    wanted: readonly SegmentKey[],
  ): [unknown: Map<string, number[]>, hold: ReadonlyMap<number, number>] {
    const { playing } = this._playhead;
    const hold = new Map<number, number>();
    if (!playing) return [new Map(), hold];
    const unknown = wanted
      .filter((key) => key.rendition === playing.rendition && !this._transfers.knows(key))
      .map(({ sequence }) => sequence);
    if (playing.live && this._neighbours.up().length) {
      const reached = this._playhead.reached();
      const isKnown = this._transfers.knows({ rendition: playing.rendition, sequence: reached });
      for (const sequence of isKnown ? unknown : [...unknown, reached]) {
        const seen = this._seen.get(sequence);
        if (seen !== undefined) hold.set(sequence, this._hearsayUntil(playing, sequence, seen));
      }
    }
    return [new Map([[playing.rendition, unknown]]), hold];
  }

  private _noteSeen({ live, last }: Playing, now: number): void {
    if (!live || this._seen.has(last)) return;
    // The player hears last that a stream has begun anew; by one, its playlist may just lag.
    if (last + 1 < Math.min(...this._seen.keys())) this.forgetSeen();
    if (!this._seen.size) this._firstSeen = last;
    const known = this._seen.size ? Math.max(...this._seen.keys()) : last - 1;
    for (let at = Math.max(known + 1, last - MOST_SEEN + 1); at <= last; at++) {
      this._seen.set(at, now);
    }
    forgetOldest(this._seen, MOST_SEEN);
  }

  /** Holders of leases ask the origin, each in its turn; others are told by neighbours. */
  private _hearsayUntil({ rendition }: Playing, sequence: number, seen: number): number {
    const delay = this._leases.delay({ rendition, sequence });
    if (delay !== null && delay < HEARSAY) return seen + delay;
    const deadline = this._playhead.deadline(sequence, this.duration(rendition), null);
    const latest = deadline - this._transfers.http.takes(this._transfers.usualBytes(rendition));
    return Math.min(seen + HEARSAY, Math.max(seen, (seen + latest) / 2));
  }

  /** No more than fit into half of the store, or they would drive one another out. */
  private _ahead({ rendition, head, last: named, live }: Playing): SegmentKey[] {
    const { _transfers: transfers } = this;
    const first = Math.max(this._playhead.reached() + 1, head);
    const half = Math.floor(transfers.store.limit / 2);
    const room = Math.floor(half / transfers.usualBytes(rendition));
    const last = live ? Math.max(named, transfers.manifest(rendition).newestKnown) : named;
    const end = Math.min(last, first + Math.min(Math.max(room, 1), MOST_AHEAD) - 1);
    const ahead: SegmentKey[] = [];
    let lookedAt = 0;
    for (let sequence = this._wholeUntil(rendition, first); sequence <= end; sequence++) {
      const key = { rendition, sequence };
      if (transfers.holds(key)) {
        if (!lookedAt) this._whole = { rendition, first, last: sequence };
        continue;
      }
      lookedAt += 1;
      if (!transfers.knows(key) || this._neighbours.offers(key)) ahead.push(key);
      if (ahead.length >= OPEN_AHEAD || lookedAt >= KNOWN_AHEAD) break;
    }
    return ahead;
  }

  /** The first segment from `from` on that may not be held whole. */
  private _wholeUntil(of: string, from: number): number {
    const { rendition, first, last } = this._whole;
    return rendition === of && first <= from && from <= last + 1 ? last + 1 : from;
  }

  /** What we hold a lease for, and our own player will ask for soon. */
  private _leased({ rendition, head, last, live }: Playing, now: number): SegmentKey[] {
    const duration = this.duration(rendition);
    const horizon = now + this._playhead.target + EARLY * duration;
    return this._leases
      .segments()
      .filter(
        (key) =>
          key.rendition === rendition &&
          (key.sequence <= last || this._transfers.knows(key)) &&
          key.sequence >= head &&
          !this._transfers.holds(key) &&
          (live || this._deadline(key, duration) <= horizon),
      );
  }

  // What the plan depends on

  /** All that the decision depends on; `wanted` are the ids of what lies ahead. */
  view(wanted: ReadonlySet<string>, now: number): View {
    const { _playhead: playhead, _neighbours: neighbours, _transfers: transfers } = this;
    const rendition = playhead.playing?.rendition ?? "";
    const bitrate = transfers.usualBytes(rendition) / this.duration(rendition);
    const links = neighbours.views(now);
    const { goodput, uplink } = neighbours;
    const { http } = transfers;
    const floor = this._trust.floor(playhead.target, http.isShaky(bitrate), now);
    this._salt = (Math.imul(this._salt, 1_664_525) + 1_013_904_223) >>> 0;
    const view = {
      starting: playhead.starting(now),
      live: playhead.live,
      buffer: playhead.buffer(now),
      target: playhead.target,
      floor,
      patience: this._trust.patience(now),
      uplink: this.upload ? Math.min(uplink.rate, uplink.cap) : 0,
      sheltered: this._leases.importers,
      starvedUntil: this.starvedUntil,
      guided: this._signaling.state === "in" && links.length > 0,
      hopefulUntil: this._hopefulUntil(now),
      bitrate,
      goodput: goodput.rate(now),
      askingSince: goodput.askingSince,
      http,
      segments: this._segments(wanted, links, now),
      links,
      salt: links.length ? (this._salt ^ hash32(this._signaling.peer)) >>> 8 : 0,
    };
    uplink.yielding = view.starting || view.buffer < floor;
    return view;
  }

  /** Until when it is worth waiting for a first link. */
  private _hopefulUntil(now: number): number {
    if (!this.p2p) return now;
    const quiet = this._neighbours.quiet(now);
    const until = quiet.size ? Math.max(...quiet.values()) : now;
    if (this._signaling.connecting()) return Math.max(until, now + CONNECT_TIMEOUT);
    return this._signaling.alone ? until : Math.max(until, this._born + HOPE);
  }

  private _segments(
    wanted: ReadonlySet<string>,
    links: readonly LinkView[],
    now: number,
  ): SegmentView[] {
    return this._transfers
      .open()
      .filter(({ demanded, key }) => demanded !== null || wanted.has(segmentId(key)))
      .map((transfer) => this._segment(transfer, links.length > 0, now))
      .sort(byDeadline);
  }

  private _segment(transfer: Transfer, company: boolean, now: number): SegmentView {
    const { key, demanded, chunks, knownAt } = transfer;
    const fetched = this._transfers.fetched(key, now);
    const coming = fetched.left & (transfer.origin | transfer.peer);
    const loading = company ? this._neighbours.loading(key, now) : { mask: 0n, until: 0 };
    return {
      key,
      demanded: demanded !== null,
      deadline: demanded ?? this._deadline(key, this.duration(key.rendition)),
      since: this._playhead.live ? knownAt : transfer.since,
      chunks,
      missing: transfer.missing,
      asked: transfer.peer & ~fetched.left,
      late: transfer.origin & fetched.late,
      silent: coming !== 0n && !(coming & ~fetched.late),
      comesUntil: this._transfers.comesUntil(key),
      missingBytes: transfer.bytesMissing(),
      rank: company ? this._rank(key) : 0,
      loading: loading.mask,
      loadingUntil: loading.until,
      old: key.sequence <= this._firstSeen,
      fetching: (transfer.origin | (transfer.peer & fetched.left)) !== 0n,
      helped: transfer.origin !== 0n || transfer.originBytes > 0,
      originAfter: transfer.originAfter,
      leases: this._leases.views(key, chunks, knownAt),
    };
  }

  /** When the play head gets to a segment that nobody asked for yet. */
  private _deadline({ rendition, sequence }: SegmentKey, duration: number): number {
    if (rendition !== this._playhead.playing?.rendition) return Infinity;
    const newest = { rendition, sequence: this._playhead.reached() };
    const demanded = this._transfers.transfer(newest)?.demanded ?? null;
    return this._playhead.deadline(sequence, duration, demanded);
  }

  /** When it is our turn; who does not upload waits for all who do. */
  private _rank(segment: SegmentKey): number {
    const id = segmentId(segment);
    const peers = this._neighbours.peers();
    const known = this._ranks.get(id);
    if (known !== undefined) return known;
    const rank = this.upload ? rankOf(this._signaling.peer, peers, segment) : peers.length;
    this._ranks.set(id, rank);
    return rank;
  }
}

function byDeadline(a: SegmentView, b: SegmentView): number {
  return a.deadline === b.deadline ? a.key.sequence - b.key.sequence : a.deadline - b.deadline;
}
