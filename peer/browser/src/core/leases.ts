/**
 * What the tracker chose us to fetch from the origin for everybody: a peer's leases.
 *
 *     granted --record known--> due after its delay --ours to fetch--> used
 *                                   ^
 *                                   '-- another holder has begun: later, in case that it fails
 *
 * A lease that `imports` is of another kind: its stripe is brought into our network from peers
 * elsewhere, or passed on to who does that, and never comes from the origin. Who is to do both holds
 * two leases of one stripe.
 *
 * Leases come before their segments do. Several peers hold one for the same stripe, each with a
 * longer delay than the one before, so that a stripe comes out even if the first of them fail.
 */

import { forgetOldest, segmentId, type SegmentKey, type Span } from "../model";
import type { Lease } from "../wire/tracker";
import { run, type Mask } from "./bits";
import { earliest } from "./manifest";
import type { LeaseView } from "./scheduler";

/** Segments that leases are kept for; the oldest grants go first. */
const MOST_SEGMENTS = 128;
/** Seconds that another holder has for bringing a stripe into the swarm once it has begun. */
const STEP_IN = 4;

interface Held {
  readonly lease: Lease;
  readonly grantedAt: number;
  /** When another holder was heard to begin. */
  begunAt: number | null;
  used: boolean;
}

/** The leases of one segment, by their stripes and whether these are to be imported. */
type Stripes = Map<string, Held>;

/** The leases of one peer. */
export class Leases {
  /** Whether peers are named to bring what comes out into our network. */
  importers = false;
  private readonly _held = new Map<string, readonly [SegmentKey, Stripes]>();

  /** The tracker has given us these. */
  granted(leases: Iterable<Lease>, now: number): void {
    for (const lease of leases) {
      const { rendition, sequence } = lease;
      const key = { rendition, sequence };
      const id = segmentId(key);
      const held = this._held.get(id) ?? ([key, new Map<string, Held>()] as const);
      this._held.set(id, held);
      held[1].set(nameOf(lease), { lease, grantedAt: now, begunAt: null, used: false });
    }
    forgetOldest(this._held, MOST_SEGMENTS);
  }

  /** Another holder has begun to fetch a stripe. */
  begun(key: SegmentKey, stripe: number, now: number): void {
    const held = this._of(key).get(nameOf({ stripe, imports: false }));
    if (held) held.begunAt = now;
  }

  /** The segments that we hold a lease for. */
  segments(): SegmentKey[] {
    return Array.from(this._held.values(), ([key]) => key);
  }

  /**
   * How long after its publication we may first have to fetch some of a segment; null if no lease
   * of ours has us fetch it.
   */
  delay(key: SegmentKey): number | null {
    const leases = Array.from(this._of(key).values(), ({ lease }) => lease);
    return earliest(leases.filter(({ imports }) => !imports).map(({ delay }) => delay));
  }

  /** What the scheduler has to know of a segment with so many chunks. */
  views(key: SegmentKey, chunks: number, knownAt: number): LeaseView[] {
    return Array.from(this._of(key).values(), (held) => ({
      chunks: stripeOf(held.lease, chunks),
      at: turnOf(held, knownAt),
      begun: held.begunAt !== null,
      delay: held.lease.delay,
      imports: held.lease.imports,
    }));
  }

  /** The chunks `fetched` are being fetched; returns the stripes that are so begun. */
  use(key: SegmentKey, chunks: number, fetched: Span): number[] {
    const begun = [];
    for (const held of this._of(key).values()) {
      const { stripe, imports } = held.lease;
      if (imports || held.used || !(run(...fetched) & stripeOf(held.lease, chunks))) continue;
      held.used = true;
      begun.push(stripe);
    }
    return begun;
  }

  /** The segment is whole; its leases are of no more use. */
  done(key: SegmentKey): void {
    this._held.delete(segmentId(key));
  }

  private _of(key: SegmentKey): Stripes {
    return this._held.get(segmentId(key))?.[1] ?? new Map<string, Held>();
  }
}

function nameOf({ stripe, imports }: Pick<Lease, "stripe" | "imports">): string {
  return `${stripe} ${imports}`;
}

/** When it is our turn. */
function turnOf({ lease, grantedAt, begunAt }: Held, knownAt: number): number {
  const at = Math.max(knownAt, grantedAt) + lease.delay;
  return begunAt === null ? at : Math.max(at, begunAt + STEP_IN + lease.delay);
}

/** The chunks of a lease's stripe. */
function stripeOf({ stripe, stripes }: Lease, chunks: number): Mask {
  const begin = (of: number): number => Math.floor((of * chunks) / stripes);
  return run(begin(stripe), begin(stripe + 1) - 1);
}
