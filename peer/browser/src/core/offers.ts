/**
 * Records of live segments that others offer, until signature and roots have been checked.
 *
 * An offer is believed as a whole or not at all:
 *
 *     offered --a Verify for each signature,------> all true:  proved
 *               a Check for each segment            one false: Forged, the sender is to blame
 *                                                   no answer: nothing, nobody knows whose fault
 *
 * Nothing is used, and nothing is passed on, before it is proved. Another offer of the same segments
 * is looked at as well, unless it is the very same: a forgery must not keep the genuine one away.
 */

import type { Bytes } from "../model";
import {
  fromBase64,
  fromHex,
  rootInput,
  signedBytes,
  splitHashes,
  type Algorithm,
  type Records,
} from "../wire/manifest";
import type { Numbers } from "./manifest";
import type { Check, Verify } from "./ports";
import { same } from "./segments";

/** Anything but a clear yes by then is a no. */
const ANSWER_TIMEOUT = 5;
/** Offers that may wait for their answers; a shell gives them within milliseconds. */
const MOST_PENDING = 8;

/**
 * Records that the origin never signed, or hashes that do not give its roots.
 *
 * `link` is null if they came over the tracker's socket.
 */
export interface Forged {
  readonly type: "Forged";
  readonly link: number | null;
}

/** What a signature of the origin's can be verified with. */
export interface Proof {
  readonly algorithm: Algorithm;
  readonly key: Bytes;
  readonly signature: Bytes;
}

/** Records, the hashes of each segment, and who brought them. */
export interface Offer {
  readonly records: Records;
  readonly hashes: readonly Bytes[];
  readonly link: number | null;
  readonly until: number;
  /** Numbers of the checks that have not been answered. */
  readonly unanswered: Set<number>;
}

/** The offers for one rendition that are neither proved nor refused. */
export class Offers {
  private _pending: Offer[] = [];
  private readonly _events: (Verify | Check | Forged)[] = [];

  constructor(private readonly _numbers: Numbers) {}

  /** Whether a segment may become known in a moment. */
  covers(sequence: number): boolean {
    return this._pending.some(({ records }) =>
      records.page.segments.some((record) => record.sequence === sequence),
    );
  }

  /** Look at an offer, with a proof (at least one) for each signature that it has. */
  take(records: Records, proofs: readonly Proof[], link: number | null, now: number): void {
    if (this._pending.length >= MOST_PENDING) return;
    if (this._pending.some((offer) => same(offer.records, records))) return;
    const data = fromBase64(records.hashes);
    const hashes = data && splitHashes(data, records.page.segments);
    if (!hashes) {
      this._events.push({ type: "Forged", link });
      return;
    }
    const until = now + ANSWER_TIMEOUT;
    const offer = { records, hashes, link, until, unanswered: new Set<number>() };
    this._pending.push(offer);
    this._verify(offer, proofs);
    this._check(offer);
  }

  // The five verbs

  /** The answer to one of our checks; returns the offer that is proved by it. */
  checked(check: number, ok: boolean): Offer | null {
    const offer = this._pending.find(({ unanswered }) => unanswered.delete(check));
    if (!offer || (ok && offer.unanswered.size)) return null;
    this._pending = this._pending.filter((other) => other !== offer);
    if (ok) return offer;
    this._events.push({ type: "Forged", link: offer.link });
    return null;
  }

  timerAt(): number | null {
    return this._pending[0]?.until ?? null; // the oldest
  }

  onTimer(now: number): void {
    this._pending = this._pending.filter(({ until }) => until > now);
  }

  takeEvents(): (Verify | Check | Forged)[] {
    return this._events.splice(0);
  }

  // Asking the shell

  private _number({ unanswered }: Offer): number {
    const number = this._numbers();
    unanswered.add(number);
    return number;
  }

  private _verify(offer: Offer, proofs: readonly Proof[]): void {
    const data = signedBytes(offer.records.page);
    for (const proof of proofs) {
      this._events.push({ type: "Verify", check: this._number(offer), data, ...proof });
    }
  }

  private _check(offer: Offer): void {
    const { content, rendition, segments } = offer.records.page;
    segments.forEach(({ sequence, length, root }, i) => {
      const hashes = offer.hashes[i] ?? new Uint8Array();
      const data = rootInput(content, rendition, sequence, length, [hashes]);
      this._events.push({
        type: "Check",
        check: this._number(offer),
        data,
        digest: fromHex(root),
      });
    });
  }
}
