/**
 * How links come about: the talk with the tracker, and every connection until its channels open.
 *
 *     out --welcome--> welcomed --join--> joining --joined--> in (renews its token)
 *      ^------------------- socket closed -----------------------'
 *      '-------- moved: to another node, MOST_HOPS times in a row at the most
 *
 *     a link:  offering --described--> spare --taken--> connecting --opened--> open
 *              (invited: offering goes straight to connecting; offered: answering --described-->
 *              connecting)
 *
 * The join carries an offer that is for nobody in particular, so that the first link costs no round
 * trip more than the tracker needs to name it. Such a spare offer is used once, or thrown away when
 * its addresses may have gone stale. Where the site wants a token, the join waits for that, too. Who
 * hides behind a relay has to be let in by it before there is an address to offer: so there the join
 * goes first.
 */

import { PROTOCOL, forgetOldest } from "../model";
import type {
  Credentials,
  FromTracker,
  OfferCandidates,
  PairingCandidates,
  Position,
  PreparedOffer,
  Taken,
  ToTracker,
  Welcome,
} from "../wire/tracker";
import { earliest, type Numbers } from "./manifest";
import type {
  CandidateFound,
  Described,
  Event,
  LinkClosed,
  LinkOpened,
  LinkReason,
  Mode,
  Outgoing,
  Proved,
  TrackerDown,
  TrackerSays,
} from "./ports";

/** From hearing of a pairing to an open channel; most links need under one second. */
export const CONNECT_TIMEOUT = 4;
/** Candidates that are found within so many seconds, of whatever links, are told in one message. The
 * first ones are in the description. */
const TOGETHER = 0.02;
/** Of one link in one message; a tracker passes ten on. */
const MOST_CANDIDATES = 16;
/** How long the join waits for the offer that it should carry. */
const OFFER_PATIENCE = 0.5;
/** A spare offer's addresses may go stale when a NAT forgets them; the tracker keeps it for 60 s. */
const SPARE_LASTS = 55;

/** How often it goes to another node before one lets it in; then it stays where it is. */
const MOST_HOPS = 3;

/** Links that are over, of which a chunk may still prove wrong. */
const MOST_OVER = 16;
/** Peers that are not met again. */
const MOST_LIARS = 64;
/** So long before it expires a token is renewed; a short one when a third of its time is left. */
const RENEW_BEFORE = 30;
/** So long a renewal may take before it is tried again. */
const RENEW_AGAIN = 10;

/** Where a link that is coming about stands. */
type Stage = "offering" | "spare" | "answering" | "connecting" | "open";

/** A link, from the moment it has a number. */
interface Pending {
  readonly number: number;
  stage: Stage;
  since: number;
  pairing: string | null;
  /** Who is at the other end, by the tracker's word. */
  peer: string;
  /** Found, and not told yet. */
  candidates: CandidateFound[];
}

/** What a join says about us. */
export interface Identity {
  readonly site: string;
  readonly content: string;
  readonly client: "browser" | "native";
  /** What our machine is connected by, as far as that is known. */
  readonly access?: string | null;
}

/** The tracker's socket as the core sees it. */
export class Signaling {
  state: "out" | "welcomed" | "joining" | "in" = "out";
  /** Our id, once the tracker has let us in. */
  peer = "";
  welcome: Welcome | null = null;
  upload = true;
  /** Whether a join carries one. */
  token = false;
  /** Whom the next join will say that we may be paired with. */
  mode: Mode = "any";
  position: Position | null = null;
  /** What the last join said of where we are. */
  joinedAt: Position | null = null;
  /** Bytes a second that we have been seen to send; 0 if that is not known. */
  uplink = 0;
  /** Whether there was nobody else when we joined, and nobody has come since. */
  alone = false;
  /** Links to somebody that were begun; an offer is none that is for nobody in particular. */
  attempts = 0;
  private readonly _links = new Map<number, Pending>();
  private readonly _over = new Map<number, Pending>();
  /** Who has sent us wrong bytes. */
  private readonly _liars = new Set<string>();
  /** How often we were sent to another node since one let us in. */
  private _hops = 0;
  private _joinAt: number | null = null;
  private _candidatesAt: number | null = null;
  private _renewAt: number | null = null;
  private _credentials: Credentials | null = null;
  private readonly _messages: Outgoing[] = [];
  private readonly _events: Event[] = [];

  constructor(
    private readonly _identity: Identity,
    private readonly _numbers: Numbers,
  ) {}

  /** Whether a link may come up at any moment. */
  connecting(): boolean {
    return [...this._links.values()].some(
      ({ stage, pairing }) => pairing !== null && stage !== "spare" && stage !== "open",
    );
  }

  pairingOf(number: number): string | null {
    return this._links.get(number)?.pairing ?? null;
  }

  /** Tell the tracker something, if we are in. */
  tell(message: ToTracker): void {
    if (this.state === "in") this._send(message);
  }

  /** Leave the swarm, and close what was coming about. */
  leave(): void {
    this.tell({ type: "leave" });
    this._out();
  }

  // The five verbs

  receive(
    message:
      | TrackerSays
      | TrackerDown
      | Proved
      | Described
      | CandidateFound
      | LinkOpened
      | LinkClosed,
    now: number,
  ): void {
    switch (message.type) {
      case "TrackerSays":
        this._hear(message.message, now);
        break;
      case "TrackerDown":
        this._out();
        break;
      case "Proved":
        this._proved(message, now);
        break;
      case "Described":
        this._described(message.link, message.sdp, now);
        break;
      case "CandidateFound":
        this._found(message, now);
        break;
      case "LinkOpened":
        this._opened(message.link, now);
        break;
      case "LinkClosed":
        this.over(message.link, message.reason);
        break;
    }
  }

  /** The link failed or ended: the tracker may have a replacement. */
  over(number: number, reason: LinkReason): void {
    const link = this._links.get(number);
    if (!link) return;
    const { pairing, stage, peer } = link;
    this._links.delete(number);
    if (reason === "integrity") {
      forgetOldest(this._liars.add(peer), MOST_LIARS);
    } else if (stage === "open") {
      forgetOldest(this._over.set(number, link), MOST_OVER);
    }
    if (pairing !== null) this.tell({ type: "unlinked", pairing, reason });
  }

  /** What the link brought was wrong, even if it is over by now: the tracker is told so. */
  lied(number: number): void {
    const link = this._over.get(number);
    if (link && this._over.delete(number)) this._links.set(number, link);
    this.over(number, "integrity");
  }

  timerAt(): number | null {
    const own = [this._joinAt, this._candidatesAt, this._renewAt];
    return earliest([...own, ...Array.from(this._links.values(), deadline)]);
  }

  onTimer(now: number): void {
    if (this._joinAt !== null && this._joinAt <= now) this._join([]);
    if (this._candidatesAt !== null && this._candidatesAt <= now) this._tellCandidates();
    if (this._renewAt !== null && this._renewAt <= now) {
      this._prove(true);
      this._renewAt = now + RENEW_AGAIN;
    }
    for (const link of this._links.values()) {
      const at = deadline(link);
      if (at === null || at > now) continue;
      this._events.push({ type: "CloseLink", link: link.number });
      this.over(link.number, "timeout");
    }
  }

  takeMessages(): Outgoing[] {
    return this._messages.splice(0);
  }

  takeEvents(): Event[] {
    return this._events.splice(0);
  }

  // The tracker's messages

  private _hear(message: FromTracker, now: number): void {
    switch (message.type) {
      case "welcome":
        this.welcome = message;
        this.state = "welcomed";
        if (this.token) this._prove(false);
        else this._prepare(now);
        break;
      case "joined": {
        const { peer, peers, expires, mode, relays, mac } = message;
        this.state = "in";
        this._hops = 0;
        this.peer = peer;
        this.alone = peers === 0;
        this._expires(expires, now);
        this._events.push({ type: "Entered", peer, mode, relays, mac });
        if (mode === "relay") {
          this._dropUnopened(); // what was made without a relay
          this._offer(null, now);
        }
        break;
      }
      case "error":
        if (message.fatal) {
          const { code, retry_after: retryAfter } = message;
          this._events.push({ type: "TrackerRefused", code, retryAfter });
        }
        break;
      case "moved":
        if (this._hops < MOST_HOPS) {
          this._hops++;
          const { url, retry_after: retryAfter } = message;
          this._events.push({ type: "TrackerMoved", url, retryAfter });
        }
        break;
      case "invite":
        if (!this._shuns(message)) this._offer(message.pairing, now, message.peer);
        break;
      case "offer": {
        if (this._shuns(message)) break;
        const { number } = this._begin("answering", message.pairing, now, message.peer);
        this._events.push({ type: "MakeAnswer", link: number, sdp: message.sdp });
        break;
      }
      case "taken":
        this._taken(message, now);
        break;
      case "answer": {
        const link = this._paired(message.pairing)?.number;
        if (link !== undefined) this._events.push({ type: "TakeAnswer", link, sdp: message.sdp });
        break;
      }
      case "candidate": {
        const { candidate, mid } = message;
        const link = this._paired(message.pairing)?.number;
        if (link !== undefined) this._events.push({ type: "AddCandidate", link, candidate, mid });
        break;
      }
      case "candidates": {
        const { candidates, mid } = message;
        const link = this._paired(message.pairing)?.number;
        if (link === undefined) break;
        for (const candidate of candidates)
          this._events.push({ type: "AddCandidate", link, candidate, mid });
        break;
      }
      case "unpaired": {
        const paired = this._paired(message.pairing);
        if (paired && paired.stage !== "open") this._close(paired);
        break;
      }
      case "renewed":
        this._expires(message.expires, now);
        break;
      case "leases":
      case "fetching":
      case "importers":
      case "records":
        break; // are the node's business
    }
  }

  /** Whether somebody has lied to us, and is to be told goodbye for good. */
  private _shuns({ pairing, peer }: { pairing: string; peer: string }): boolean {
    const shuns = this._liars.has(peer);
    if (shuns) this._send({ type: "unlinked", pairing, reason: "integrity" });
    return shuns;
  }

  // Tokens

  private _prove(fresh: boolean): void {
    if (this.welcome) this._events.push({ type: "Prove", nonce: this.welcome.nonce, fresh });
  }

  private _proved({ nonce, credentials }: Proved, now: number): void {
    if (nonce !== this.welcome?.nonce) return; // it is for a socket that is gone
    if (this.state === "in") this._send({ type: "renew", credentials });
    else if (this.state === "welcomed" && this._joinAt === null) {
      this._credentials = credentials;
      this._prepare(now);
    }
  }

  /** The token will expire, and has to be renewed before. */
  private _expires(seconds: number | null, now: number): void {
    const before = Math.min(RENEW_BEFORE, (seconds ?? 0) / 3);
    this._renewAt = seconds === null ? null : now + seconds - before;
  }

  /** Make the offer that the join should carry, if it can be made before. */
  private _prepare(now: number): void {
    if (this.mode === "relay") {
      this._join([]);
      return;
    }
    this._joinAt = now + OFFER_PATIENCE;
    this._offer(null, now);
  }

  private _taken(taken: Taken, now: number): void {
    const { offer, pairing, peer } = taken;
    const link = this._links.get(offer);
    if (link?.stage !== "spare") {
      // It went stale as the tracker gave it away.
      this._send({ type: "unlinked", pairing, reason: "failed" });
      return;
    }
    if (this._shuns(taken)) {
      this._close(link);
    } else {
      link.stage = "connecting";
      link.pairing = pairing;
      link.peer = peer;
      link.since = now;
      this._meets();
    }
    this._offer(null, now);
  }

  // Our own ends

  private _described(number: number, sdp: string, now: number): void {
    const link = this._links.get(number);
    if (!link) return;
    const { stage, pairing } = link;
    if (stage === "answering" || stage === "offering") {
      if (pairing !== null) {
        this._send({ type: stage === "answering" ? "answer" : "offer", pairing, sdp });
        link.stage = "connecting";
      } else {
        link.stage = "spare";
        link.since = now;
        if (this._joinAt !== null) this._join([{ offer: number, sdp }]);
        else this._send({ type: "prepared", offer: number, sdp });
      }
    }
    if (link.candidates.length) this._tellCandidates();
  }

  private _found(found: CandidateFound, now: number): void {
    const link = this._links.get(found.link);
    if (!link || link.stage === "open" || link.candidates.length >= MOST_CANDIDATES) return;
    if (/ tcp /i.test(found.candidate)) return; // no tracker passes it on
    link.candidates.push(found);
    if (isDescribed(link)) this._candidatesAt ??= now + TOGETHER;
  }

  /** Tells what was found of all links that have been described. */
  private _tellCandidates(): void {
    this._candidatesAt = null;
    const pairings: PairingCandidates[] = [];
    const offers: OfferCandidates[] = [];
    for (const link of this._links.values()) {
      const [first] = link.candidates;
      if (!first || !isDescribed(link)) continue;
      // A link has one section.
      const told = { candidates: link.candidates.map((found) => found.candidate), mid: first.mid };
      link.candidates = [];
      if (link.pairing !== null) pairings.push({ pairing: link.pairing, ...told });
      else offers.push({ offer: link.number, ...told });
    }
    if (pairings.length + offers.length) this._send({ type: "candidates", pairings, offers });
  }

  private _opened(number: number, now: number): void {
    const link = this._links.get(number);
    const pairing = this.pairingOf(number);
    if (!link || pairing === null) return;
    link.stage = "open";
    link.candidates = []; // it has found its way
    const took = Math.floor((now - link.since) * 10_000 + 0.5) / 10;
    this.tell({ type: "linked", pairing, took });
  }

  private _join(offers: readonly PreparedOffer[]): void {
    this._joinAt = null;
    this.state = "joining";
    const { _identity: identity, _credentials: credentials } = this;
    const { upload, position, uplink, mode } = this;
    this.joinedAt = position;
    this._credentials = null;
    const follows = this._hops < MOST_HOPS && { follows: true };
    const known = { upload, offers, position, uplink, mode };
    const ours = { ...known, ...follows, ...(credentials && { credentials }) };
    this._send({ type: "join", protocol: PROTOCOL, ...identity, ...ours });
  }

  // Book-keeping

  private _send(message: ToTracker): void {
    this._messages.push({ type: "TellTracker", message });
  }

  private _begin(stage: Stage, pairing: string | null, since: number, peer = ""): Pending {
    const number = this._numbers();
    const link: Pending = { number, stage, since, pairing, peer, candidates: [] };
    if (pairing !== null) this._meets();
    this._links.set(link.number, link);
    return link;
  }

  /** Somebody has been named to us. */
  private _meets(): void {
    this.alone = false;
    this.attempts++;
  }

  private _offer(pairing: string | null, now: number, peer = ""): void {
    const { number } = this._begin("offering", pairing, now, peer);
    this._events.push({ type: "MakeOffer", link: number });
  }

  private _paired(pairing: string): Pending | undefined {
    return [...this._links.values()].find((link) => link.pairing === pairing);
  }

  private _close({ number }: Pending): void {
    this._events.push({ type: "CloseLink", link: number });
    this._links.delete(number);
  }

  /** What was said on this socket is void; links stay. */
  private _out(): void {
    this.state = "out";
    this._joinAt = this._candidatesAt = this._renewAt = this._credentials = null;
    this._dropUnopened();
  }

  private _dropUnopened(): void {
    for (const link of this._links.values()) {
      if (link.stage === "open") link.pairing = null; // the next socket knows nothing of it
      else this._close(link);
    }
    for (const link of this._over.values()) link.pairing = null;
  }
}

function deadline({ stage, pairing, since }: Pending): number | null {
  if (stage === "open") return null;
  return since + (pairing === null ? SPARE_LASTS : CONNECT_TIMEOUT);
}

/** Whether its candidates mean something to the other end. */
function isDescribed({ stage }: Pending): boolean {
  return stage === "spare" || stage === "connecting";
}
