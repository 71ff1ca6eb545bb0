/**
 * What goes into a node and what comes out of it.
 *
 * `Input` is the closed union that `Node.receive` takes; `Event` the one that `Node.takeEvents`
 * gives. A *link* is known by a small number that the node gives out, from the moment somebody
 * should make an offer for it until it is closed; shells and the rest of the core never see
 * pairings.
 */

import type { ErrorCode, SourceReason } from "../errors";
import type { Bytes, SegmentKey, Span } from "../model";
import type { Frame } from "../wire/chunk";
import type { LinkMessage } from "../wire/link";
import type { Algorithm, RenditionManifest } from "../wire/manifest";
import type {
  Credentials,
  FromTracker,
  Joined,
  PairReport,
  Relays,
  ToTracker,
  Unlinked,
} from "../wire/tracker";

export type LinkReason = Unlinked["reason"];

/**
 * Whom a peer links to: nobody; only peers in its local network; of its network operator; anybody;
 * or anybody, but through a relay alone, which hides its address.
 */
export type Mode = Joined["mode"];

/**
 * By what a link goes: a relay; an address that a NAT has mapped, as a STUN server sees it or as the
 * other end has found out; or the addresses of both machines as they are.
 */
export type Route = NonNullable<PairReport["route"]>;

/**
 * By which rule the origin is asked: nothing has been played yet; the buffer is below the floor; the
 * latest start has come; patience with peers is over; a lease; it is our turn to fetch what nobody
 * has; peers are too slow.
 */
export type Rule = "start" | "floor" | "latest" | "patience" | "lease" | "turn" | "joins";

// Inputs: from the player

/** The player asks for a segment, which it will play in `within` seconds. */
export interface Demand {
  readonly type: "Demand";
  readonly key: SegmentKey;
  readonly within: number;
}

/** The player no longer wants the segment (it seeks, or switches the rendition). */
export interface Release {
  readonly type: "Release";
  readonly key: SegmentKey;
}

/** How well it has played since the player was given this content. */
export interface Watched {
  /** Milliseconds from the player's first request to the first picture, if that is there. */
  readonly startup?: number | undefined;
  /** Milliseconds in which it played. */
  readonly played?: number;
  /** How often it ran dry after the first picture. */
  readonly stalls?: number;
  /** Milliseconds until it went on. */
  readonly stalled?: number;
  /** Milliseconds from when it was given what to play until the tracker let us in; none until
   * then, as the following. */
  readonly announce?: number | null;
  /** Until the first answer to an offer. */
  readonly answer?: number | null;
  /** Until the first connection. */
  readonly ice?: number | null;
  /** Until the first link. */
  readonly open?: number | null;
  /** Until the first verified chunk from a peer. */
  readonly first_chunk?: number | null;
}

/** Where the player is. Sent when something changed, and every second or so. */
export interface Playing {
  readonly type: "Playing";
  readonly rendition: string;
  /** Sequence of the segment at the play head. */
  readonly head: number;
  /** Sequence of the newest segment that the playlist names. */
  readonly last: number;
  /** Seconds of media ahead of the play head, in the player's own buffer. */
  readonly buffer: number;
  readonly live: boolean;
  /** Seconds of media that the player wants to have there; 30 if it does not say. */
  readonly target?: number | undefined;
  /** If somebody looks on. */
  readonly watched?: Watched;
}

/** A whole segment that the shell got past the node, by plain HTTP, offered for sharing. */
export interface Loaded {
  readonly type: "Loaded";
  readonly key: SegmentKey;
  readonly data: Bytes;
  /** Whether it came from the HTTP cache of this machine rather than from the origin. */
  readonly cached: boolean;
  /** Seconds since the request was made, if they were measured. */
  readonly ttfb?: number;
  readonly took?: number;
  /** When it was there, if that was not just now. */
  readonly at?: number | null;
}

/**
 * A chunk that the shell holds from an earlier session, and has verified by the hashes of a segment
 * that is known. It was counted when it first came.
 */
export interface Recalled {
  readonly type: "Recalled";
  readonly key: SegmentKey;
  readonly chunk: number;
  readonly data: Bytes;
}

/** How much may be given; what is left out or null is not limited. */
export interface Caps {
  /** Bytes a second. */
  readonly rate?: number | null;
  /** Bytes in all. */
  readonly budget?: number | null;
  /** Of the media that came in, whether from peers or by HTTP. */
  readonly ratio?: number | null;
}

/** What keeps this machine from giving, as far as it says. */
export interface Device {
  readonly type: "Device";
  /** It is on a mobile network. */
  readonly cellular?: boolean;
  /** Its owner wants data to be saved (`Save-Data`). */
  readonly saving?: boolean;
  /** Nobody looks at the player. */
  readonly hidden?: boolean;
  readonly onBattery?: boolean;
}

/** What the site and the viewer agree to. */
export interface Allow {
  readonly type: "Allow";
  readonly p2p: boolean;
  readonly upload: boolean;
  /** Whether there is somebody to ask for join tokens; see `Prove`. */
  readonly token?: boolean;
  /** What the next join says; `any` by default. Who changes it leaves first. */
  readonly mode?: Mode;
  readonly caps?: Caps;
}

// Inputs: from the origin

/** A page of a rendition's manifest, from the origin. */
export interface ManifestArrived {
  readonly type: "ManifestArrived";
  readonly page: RenditionManifest;
}

/** A `FetchManifest` or `FetchRecords` that brought nothing. */
export interface ManifestFailed {
  readonly type: "ManifestFailed";
  readonly rendition: string;
}

/** The binary answer to a `FetchHashes`, for the same span; null if it failed. */
export interface HashesArrived {
  readonly type: "HashesArrived";
  readonly rendition: string;
  readonly sequences: Span;
  readonly data: Bytes | null;
}

/** Some bytes of a `FetchRange`, in their order. */
export interface RangeData {
  readonly type: "RangeData";
  readonly fetch: number;
  readonly data: Bytes;
}

/** A `FetchRange` has brought all it will. `ttfb` and `took` are seconds since its start. */
export interface RangeDone {
  readonly type: "RangeDone";
  readonly fetch: number;
  readonly ttfb: number;
  readonly took: number;
  /** Whether it came from the HTTP cache of this machine rather than from the origin. */
  readonly cached: boolean;
}

/** A `FetchRange` that failed, however much it brought before. */
export interface RangeFailed {
  readonly type: "RangeFailed";
  readonly fetch: number;
  readonly reason: SourceReason;
}

/** The answer to a `Check` or a `Verify`. Anything but a clear yes is a no. */
export interface Checked {
  readonly type: "Checked";
  readonly check: number;
  readonly ok: boolean;
}

// Inputs: from the tracker's socket and from links

/** The tracker's socket closed, or could not be opened. */
export interface TrackerDown {
  readonly type: "TrackerDown";
}

/** A message from the tracker (the first one is `Welcome`). */
export interface TrackerSays {
  readonly type: "TrackerSays";
  readonly message: FromTracker;
}

/**
 * The answer to a `Prove`. A shell that has no token says nothing, and gives the socket up.
 */
export interface Proved {
  readonly type: "Proved";
  readonly nonce: string;
  readonly credentials: Credentials;
}

/** The offer or answer that `MakeOffer` or `MakeAnswer` asked for. */
export interface Described {
  readonly type: "Described";
  readonly link: number;
  readonly sdp: string;
}

/** A local ICE candidate found after the description was handed over. */
export interface CandidateFound {
  readonly type: "CandidateFound";
  readonly link: number;
  readonly candidate: string;
  readonly mid: string;
}

/** Both channels are open. */
export interface LinkOpened {
  readonly type: "LinkOpened";
  readonly link: number;
}

/**
 * By what a link goes, as far as that is known: what a relay carries saves nothing, even if it does
 * so for a while alone.
 */
export interface LinkRouted {
  readonly type: "LinkRouted";
  readonly link: number;
  readonly route: Route;
  /** Seconds to the other end and back; 0 or none if that is not known. */
  readonly rtt?: number;
}

/** The connection failed or ended; nothing more will come. */
export interface LinkClosed {
  readonly type: "LinkClosed";
  readonly link: number;
  readonly reason: LinkReason;
}

/** A control message from the other end. */
export interface LinkSays {
  readonly type: "LinkSays";
  readonly link: number;
  readonly message: LinkMessage;
}

/** A frame from the other end. */
export interface LinkSends {
  readonly type: "LinkSends";
  readonly link: number;
  readonly frame: Frame;
}

/**
 * So many bytes are still buffered in the data channel.
 *
 * Said when half of what was in the buffer after sending has gone, and right after sending if it is
 * empty: so the core learns how fast bytes go, and that there is room for more.
 */
export interface LinkDrained {
  readonly type: "LinkDrained";
  readonly link: number;
  readonly buffered: number;
}

/** The other end sent something that no decoder accepts: close it, and say so. */
export interface LinkBroke {
  readonly type: "LinkBroke";
  readonly link: number;
  readonly code: ErrorCode;
}

export type Input =
  | Demand
  | Release
  | Playing
  | Loaded
  | Recalled
  | Allow
  | Device
  | ManifestArrived
  | ManifestFailed
  | HashesArrived
  | RangeData
  | RangeDone
  | RangeFailed
  | Checked
  | TrackerDown
  | TrackerSays
  | Proved
  | Described
  | CandidateFound
  | LinkOpened
  | LinkRouted
  | LinkClosed
  | LinkSays
  | LinkSends
  | LinkDrained
  | LinkBroke;

// Messages out

/** Send this over the tracker's socket. */
export interface TellTracker {
  readonly type: "TellTracker";
  readonly message: ToTracker;
}

/** Send this over the link's control channel. */
export interface TellLink {
  readonly type: "TellLink";
  readonly link: number;
  readonly message: LinkMessage;
}

/** Send this over the link's data channel. */
export interface SendFrame {
  readonly type: "SendFrame";
  readonly link: number;
  readonly frame: Frame;
}

export type Outgoing = TellTracker | TellLink | SendFrame;

// Events: to the player

/**
 * A demanded segment, whole and verified, and how many of its bytes came from where.
 *
 * What neither the origin nor peers brought just now had been in the store.
 */
export interface SegmentReady {
  readonly type: "SegmentReady";
  readonly key: SegmentKey;
  readonly data: Bytes;
  readonly originBytes: number;
  readonly peerBytes: number;
}

/** A demanded segment that could not be had in a verified form: load it by plain HTTP. */
export interface SegmentFailed {
  readonly type: "SegmentFailed";
  readonly key: SegmentKey;
  readonly reason: SourceReason;
}

// Events: what the shell is to fetch or compute

/** Fetch the page of the rendition's manifest that holds this sequence. */
export interface FetchManifest {
  readonly type: "FetchManifest";
  readonly rendition: string;
  readonly sequence: number;
}

/** Fetch the records of just these segments, which is answered like a `FetchManifest`. */
export interface FetchRecords {
  readonly type: "FetchRecords";
  readonly rendition: string;
  readonly sequences: Span;
}

/** Fetch the chunk hashes of these segments. */
export interface FetchHashes {
  readonly type: "FetchHashes";
  readonly rendition: string;
  readonly sequences: Span;
}

/**
 * Fetch these bytes of a segment from the origin; `whole` if that is all of it.
 *
 * `fresh` asks to go past any cache, since what a cache gave failed its hash.
 */
export interface FetchRange {
  readonly type: "FetchRange";
  readonly fetch: number;
  readonly key: SegmentKey;
  readonly span: Span;
  readonly whole: boolean;
  readonly fresh: boolean;
  /** By which rule the scheduler asked for it. */
  readonly rule: Rule;
}

/** This fetch is no longer wanted. */
export interface AbortRange {
  readonly type: "AbortRange";
  readonly fetch: number;
}

/** Say (by `Checked`) whether the SHA-256 of `data` is `digest`. */
export interface Check {
  readonly type: "Check";
  readonly check: number;
  readonly data: Bytes;
  readonly digest: Bytes;
}

/**
 * Say (by `Checked`) whether `signature` is that of `data` by the raw `key`.
 *
 * A no means that it is wrong: whoever sent it is cut off. A shell that cannot tell stays silent.
 */
export interface Verify {
  readonly type: "Verify";
  readonly check: number;
  readonly algorithm: Algorithm;
  readonly data: Bytes;
  readonly key: Bytes;
  readonly signature: Bytes;
}

/**
 * Get a join token, and say (by `Proved`) that its key is ours, to the tracker that gave this nonce.
 * `fresh` asks for another token than the last one.
 */
export interface Prove {
  readonly type: "Prove";
  readonly nonce: string;
  readonly fresh: boolean;
}

// Events: what the shell is to do about links

/** Open a connection for this link, with both channels, and describe it as an offer. */
export interface MakeOffer {
  readonly type: "MakeOffer";
  readonly link: number;
}

/** Open a connection for this link, with both channels, and answer this offer. */
export interface MakeAnswer {
  readonly type: "MakeAnswer";
  readonly link: number;
  readonly sdp: string;
}

/** The other end's answer to this link's offer. */
export interface TakeAnswer {
  readonly type: "TakeAnswer";
  readonly link: number;
  readonly sdp: string;
}

/** A candidate of the other end. */
export interface AddCandidate {
  readonly type: "AddCandidate";
  readonly link: number;
  readonly candidate: string;
  readonly mid: string;
}

/** Close the connection; what was already sent should still leave. */
export interface CloseLink {
  readonly type: "CloseLink";
  readonly link: number;
}

// Events: what a person may want to see

/** The tracker has let us in. Links that are asked for after this are to be made as it says. */
export interface Entered {
  readonly type: "Entered";
  readonly peer: string;
  readonly mode: Mode;
  readonly relays: Relays | null;
  /** What a report that does not go over the socket has to carry. */
  readonly mac: string | null;
}

/** A link is open and both ends have greeted each other. */
export interface LinkUp {
  readonly type: "LinkUp";
  readonly link: number;
  readonly peer: string;
}

/** A link that was up is over. */
export interface LinkDown {
  readonly type: "LinkDown";
  readonly link: number;
  readonly reason: LinkReason;
}

/** A chunk failed its hash. `link` is null if the origin (or a cache before it) sent it. */
export interface ChunkRejected {
  readonly type: "ChunkRejected";
  readonly key: SegmentKey;
  readonly chunk: number;
  readonly link: number | null;
  /** Whether the check said so; else it has not answered, and nobody is to blame. */
  readonly proved: boolean;
}

/** The tracker will not have us; the socket is to be closed. */
export interface TrackerRefused {
  readonly type: "TrackerRefused";
  readonly code: ErrorCode;
  readonly retryAfter: number | null;
}

/** The socket is to be closed, and opened at another node of the tracker, for as long as that is
 * there: then again where the page says. */
export interface TrackerMoved {
  readonly type: "TrackerMoved";
  readonly url: string;
  readonly retryAfter: number | null;
}

export type Event =
  | SegmentReady
  | SegmentFailed
  | FetchManifest
  | FetchRecords
  | FetchHashes
  | FetchRange
  | AbortRange
  | Check
  | Verify
  | Prove
  | MakeOffer
  | MakeAnswer
  | TakeAnswer
  | AddCandidate
  | CloseLink
  | Entered
  | LinkUp
  | LinkDown
  | ChunkRejected
  | TrackerRefused
  | TrackerMoved;
