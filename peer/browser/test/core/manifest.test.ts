/** What is known of a rendition, and how it comes to be known. */

import { beforeEach, describe, expect, it } from "vitest";

import { Manifest, type ManifestEvent } from "../../src/core/manifest";
import type { Span } from "../../src/model";
import type { Records, RenditionManifest, SegmentRecord } from "../../src/wire/manifest";
import { CONTENT, KEY, Media, genuine, inverted, sha256, signed } from "./media";
import { withSignature } from "./scenario";

const pieces = Array.from({ length: 100 }, (_, sequence) => {
  return { rendition: "v", sequence, length: 70_000, duration: 2000 };
});
const media = new Media(pieces, false);
const live = new Media(pieces, true);

const page = (sequence: number, more: Partial<RenditionManifest> = {}): RenditionManifest => ({
  ...media.page("v", sequence, 0),
  ...more,
});

let manifest: Manifest;

beforeEach(() => {
  let last = 0;
  manifest = new Manifest(CONTENT, "v", () => ++last);
});

function arrive(more: Partial<RenditionManifest> = {}, now = 0): void {
  manifest.receive({ type: "ManifestArrived", page: page(0, more) }, now);
}

function hashes(sequences: Span, now = 0): void {
  const data = media.hashes("v", sequences, 0);
  manifest.receive({ type: "HashesArrived", rendition: "v", sequences, data }, now);
}

/** Answers all checks; returns the other events. */
function check(now = 0, ok?: boolean): ManifestEvent[] {
  const told: ManifestEvent[] = [];
  for (let events = manifest.takeEvents(); events.length; events = manifest.takeEvents()) {
    for (const event of events) {
      if (event.type === "Check") {
        const right = sha256(event.data).every((byte, at) => byte === event.digest[at]);
        manifest.checked(event.check, ok ?? right, now);
      } else if (event.type === "Verify") {
        manifest.checked(event.check, ok ?? genuine(event.data, event.signature), now);
      } else told.push(event);
    }
  }
  return told;
}

const fetchPage = (sequence: number): ManifestEvent => {
  return { type: "FetchManifest", rendition: "v", sequence };
};
const fetchRecords = (...sequences: [number, number]): ManifestEvent => {
  return { type: "FetchRecords", rendition: "v", sequences };
};
const fetchHashes = (...sequences: [number, number]): ManifestEvent => {
  return { type: "FetchHashes", rendition: "v", sequences };
};
const known = (sequence: number): ManifestEvent => ({ type: "Known", sequence });
const renewed: ManifestEvent = { type: "Renewed" };

describe("a segment that is needed", () => {
  it("gets its record, its hashes and their proof, in this order", () => {
    manifest.need([3, 4], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchPage(3)]);
    arrive();
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(3, 8)]);
    expect(manifest.knows(3)).toBe(false);
    hashes([3, 8]);
    expect(check()).toStrictEqual([3, 4, 5, 6, 7, 8].map(known));
    expect([manifest.knows(3), manifest.knows(4)]).toStrictEqual([true, true]);
    expect(manifest.hashes(3)).toHaveLength(64);
    expect([manifest.hashes(9), manifest.timerAt()]).toStrictEqual([undefined, null]);
  });

  it("is asked for once at a time", () => {
    manifest.need([3], 0);
    manifest.need([3, 70], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchPage(3)]);
  });

  it("has its hashes fetched with those beside it, no more than a page", () => {
    manifest.receive({ type: "ManifestArrived", page: page(0) }, 0);
    manifest.receive({ type: "ManifestArrived", page: page(64) }, 0);
    manifest.need([...Array(100).keys()], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(0, 63)]);
  });

  it("is not asked for when the rendition has left it behind", () => {
    arrive({ first: 10 });
    manifest.need([3, 20], 0);
    expect([manifest.takeEvents(), manifest.record(3)]).toStrictEqual(
      [[fetchHashes(20, 25)], undefined],
    );
  });

  it("is asked for if all that is needed lies before it: another era may have begun", () => {
    arrive({ first: 10 });
    manifest.need([3, 4], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchPage(4)]);
  });
});

describe("what fails", () => {
  it("is asked for again, after a pause that doubles up to 8 s", () => {
    manifest.need([3], 0);
    const pauses = [];
    for (let now = 0, i = 0; i < 6; i++) {
      manifest.receive({ type: "ManifestFailed", rendition: "v" }, now);
      pauses.push((manifest.timerAt() ?? NaN) - now);
      now = manifest.timerAt() ?? NaN;
      manifest.onTimer(now);
    }
    expect(pauses).toStrictEqual([0.5, 1, 2, 4, 8, 8]);
    expect(manifest.takeEvents()).toHaveLength(7);
  });

  it("counts as failed when nothing came for 10 s", () => {
    manifest.need([3], 0);
    expect(manifest.timerAt()).toBe(10);
    manifest.onTimer(10);
    expect(manifest.timerAt()).toBe(10.5);
  });

  it.each([
    ["is of another content", { content: "f".repeat(32) }],
    ["is of another rendition", { rendition: "w" }],
  ])("is a page that %s", (_, more) => {
    manifest.need([3], 0);
    arrive(more);
    expect([manifest.record(3), manifest.timerAt()]).toStrictEqual([undefined, 0.5]);
  });

  it("is a page from before", () => {
    arrive({ time: 5 });
    const older = { ...page(0).segments[0], root: "0".repeat(64) };
    arrive({ time: 4, segments: [older as RenditionManifest["segments"][number]] });
    expect(manifest.record(0)).toStrictEqual(page(0).segments[0]);
  });

  it.each([
    ["nothing", null],
    ["a byte short", new Uint8Array(63)],
    ["another segment's, too", new Uint8Array(128)],
  ])("is a hash list that is %s", (_, data) => {
    manifest.need([3], 0);
    arrive();
    manifest.takeEvents();
    manifest.receive({ type: "HashesArrived", rendition: "v", sequences: [3, 3], data }, 0);
    expect([manifest.takeEvents(), manifest.timerAt()]).toStrictEqual([[], 0.5]);
  });

  it("is a hash list for more segments than are known, whatever is in it", () => {
    manifest.need([3, 4], 0);
    arrive({ segments: page(0).segments.slice(0, 4) });
    const data = media.hashes("v", [3, 3], 0);
    manifest.receive({ type: "HashesArrived", rendition: "v", sequences: [3, 4], data }, 0);
    expect(check()).not.toContainEqual(known(3));
  });

  it("is a hash list that is not the root's", () => {
    manifest.need([3], 0);
    arrive();
    hashes([3, 3]);
    check(0, false);
    expect([manifest.knows(3), manifest.timerAt()]).toStrictEqual([false, 0.5]);
    manifest.onTimer(0.5);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(3, 8)]);
  });
});

describe("a rendition that begins anew", () => {
  it("is said, and nothing is known of it any more", () => {
    manifest.need([3], 0);
    arrive();
    hashes([3, 3]);
    check();
    const segments = page(0).segments.slice(0, 4).map((record) => ({ ...record, root: "0".repeat(64) }));
    arrive({ time: 2, segments });
    expect(manifest.knows(3)).toBe(true);
    arrive({ time: 2, era: 2, segments });
    expect(manifest.takeEvents()).toContainEqual(renewed);
    expect([manifest.knows(3), manifest.record(4)]).toStrictEqual([false, undefined]);
  });

  it("is not proved by a check of what the segment was", () => {
    manifest.need([3], 0);
    arrive();
    hashes([3, 3]);
    arrive({ time: 2, era: 2, segments: page(0).segments.slice(0, 4).map(wrongRoot) });
    expect(check()).not.toContainEqual(known(3));
    expect(manifest.knows(3)).toBe(false);
  });
});

// Live

/** The page of some segments of a live rendition, of which `last` is the newest. */
const livePage = (first: number, last: number, more: Partial<RenditionManifest> = {}) =>
  signed({ ...live.pageOfSpan("v", [first, last], 0, 1, false), last, ...more });

/** What a neighbour tells of some segments. */
function offer(first: number, last: number, more: Partial<RenditionManifest> = {}): Records {
  const { hashes } = live.records("v", [first, last], 0);
  return { type: "records", page: livePage(first, last, { time: 2, keys: [], ...more }), hashes };
}

/** The segments 0 to 9 of a live rendition are known, by a whole page. */
function watch(more: Partial<RenditionManifest> = {}): void {
  manifest.need([...Array(10).keys()], 0);
  manifest.receive({ type: "ManifestArrived", page: { ...livePage(0, 9), ...more } }, 0);
  hashes([0, 9]);
  check();
}

const wrongRoot = (record: SegmentRecord): SegmentRecord => ({ ...record, root: "0".repeat(64) });
const forged = (link: number | null): ManifestEvent => ({ type: "Forged", link });
const learned = (records: Records, link: number | null): ManifestEvent => {
  return { type: "Learned", records, link };
};

describe("a live segment", () => {
  it.each([
    [[10], fetchRecords(10, 10)],
    [[10, 11, 12], fetchRecords(10, 12)],
    [[11, 10, 9, 8], fetchRecords(11, 11)],
    [[10, 11, 12, 13], fetchPage(10)],
  ])("is asked for by itself where few are: %j", (needed, question) => {
    watch();
    manifest.need(needed, 0);
    expect(manifest.takeEvents()).toStrictEqual([question]);
  });

  it("that is held back is not asked for before its time", () => {
    watch();
    manifest.need(
      [10, 11],
      0,
      new Map([
        [10, 2],
        [11, 1],
      ]),
    );
    expect([manifest.takeEvents(), manifest.timerAt()]).toStrictEqual([[], 1]);
    manifest.onTimer(1);
    expect(manifest.takeEvents()).toStrictEqual([fetchRecords(11, 11)]);
    manifest.receive({ type: "ManifestArrived", page: livePage(11, 11, { time: 2 }) }, 1.5);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(11, 11)]);
    expect(manifest.timerAt()).toBe(2);
    manifest.onTimer(2);
    expect(manifest.takeEvents()).toStrictEqual([fetchRecords(10, 10)]);
  });

  it("is not held back where no offer could be verified", () => {
    watch({ keys: [] });
    manifest.need([10], 0, new Map([[10, 1]]));
    expect(manifest.takeEvents()).toStrictEqual([fetchRecords(10, 10)]);
  });

  it("that is known needs no timer", () => {
    watch();
    manifest.need([9], 0, new Map([[9, 1]]));
    expect(manifest.timerAt()).toBeNull();
  });
});

describe("what somebody offers", () => {
  it("is verified by the key that the origin told", () => {
    watch();
    manifest.offered(offer(10, 10), 7, 0);
    const [verify] = manifest.takeEvents();
    expect(verify).toMatchObject({ type: "Verify", key: new Uint8Array(32) });
  });

  it("becomes known, and is passed on", () => {
    watch();
    manifest.offered(offer(10, 10), 7, 0);
    manifest.need([10, 11], 0);
    expect(check()).toStrictEqual([
      fetchRecords(11, 11),
      known(10),
      learned(offer(10, 10), 7),
    ]);
    expect(manifest.hashes(10)).toHaveLength(64);
  });

  it.each([7, null])("is blamed on its sender if the signature is wrong (%j)", (link) => {
    watch();
    const { page, hashes } = offer(10, 10);
    manifest.offered({ type: "records", page: withSignature(page, inverted), hashes }, link, 0);
    expect(check()).toStrictEqual([forged(link)]);
    expect(manifest.record(10)).toBeUndefined();
    manifest.offered(offer(10, 10), 8, 0);
    expect(check()).toStrictEqual([known(10), learned(offer(10, 10), 8)]);
  });

  it("is blamed on its sender if the page was tampered with", () => {
    watch();
    const { page, hashes } = offer(10, 10);
    const segments = page.segments.map((record) => ({ ...record, uri: "elsewhere.ts" }));
    manifest.offered({ type: "records", page: { ...page, segments }, hashes }, 7, 0);
    expect(check()).toStrictEqual([forged(7)]);
  });

  it("is blamed on its sender if the hashes are others", () => {
    watch();
    const { page } = offer(10, 10);
    manifest.offered({ type: "records", page, hashes: offer(11, 11).hashes }, 7, 0);
    expect(check()).toStrictEqual([forged(7)]);
    expect(manifest.record(10)).toBeUndefined();
  });

  it.each(["", "A", "AAAA", offer(5, 6).hashes])("is refused with hashes that don't fit", (hashes) => {
    watch();
    manifest.offered({ ...offer(10, 10), hashes }, 7, 0);
    expect(manifest.takeEvents()).toStrictEqual([forged(7)]);
  });

  it.each([
    ["of another content", offer(10, 10, { content: "f".repeat(32) })],
    ["of another rendition", offer(10, 10, { rendition: "w" })],
    ["not live", offer(10, 10, { live: false })],
    ["nothing new", offer(9, 9)],
    ["empty", offer(10, 9)],
    ["as old as what is known, which ends before it", offer(10, 10, { time: 1 })],
    ["older, and beyond the newest segment", offer(10, 10, { time: 0 })],
  ])("is not looked at if it is %s", (_, records) => {
    watch();
    manifest.offered(records, 7, 0);
    expect([manifest.takeEvents(), manifest.timerAt()]).toStrictEqual([[], null]);
  });

  it("is not looked at without a signature, or without a key for it", () => {
    const { page, hashes } = offer(10, 10);
    watch();
    manifest.offered({ type: "records", page: { ...page, signatures: [] }, hashes }, 7, 0);
    watch({ time: 2, keys: [{ ...KEY, id: "next" }] });
    manifest.offered(offer(10, 10, { time: 3, keys: [KEY] }), 7, 0);
    expect(manifest.takeEvents()).toStrictEqual([]);
  });

  it("is forgotten without blame if nobody answers", () => {
    watch();
    manifest.offered(offer(10, 10), 7, 0);
    manifest.takeEvents();
    expect(manifest.timerAt()).toBe(5);
    manifest.need([10], 5);
    expect(manifest.takeEvents()).toStrictEqual([]);
    manifest.onTimer(5);
    expect(manifest.takeEvents()).toStrictEqual([fetchRecords(10, 10)]);
  });

  it("is looked at once, and eight at a time", () => {
    watch();
    manifest.offered(offer(10, 10), 7, 0);
    manifest.offered(offer(10, 10), 8, 0);
    expect(manifest.takeEvents()).toHaveLength(2);
    for (let more = 11; more < 30; more++) manifest.offered(offer(more, more), 7, 0);
    const verifies = manifest.takeEvents().filter(({ type }) => type === "Verify");
    expect(verifies).toHaveLength(7);
  });

  it("changes no record of a later era, but may fill a gap", () => {
    watch();
    manifest.need([9], 0);
    const newer = livePage(9, 9, { time: 5, era: 5, last: 11 });
    const segments = newer.segments.map(wrongRoot);
    manifest.receive({ type: "ManifestArrived", page: { ...newer, segments } }, 0);
    expect(check()).toStrictEqual([renewed, fetchHashes(9, 9)]);
    manifest.offered(offer(9, 9, { time: 4 }), 7, 0);
    manifest.offered(offer(9, 9, { time: 6 }), 7, 0);
    manifest.offered(offer(10, 10, { time: 6, era: 4 }), 7, 0);
    manifest.offered(offer(9, 9, { time: 6, era: 5 }), 7, 0);
    expect(manifest.takeEvents()).toStrictEqual([]);
    for (const sequence of [10, 11]) {
      const filling = offer(sequence, sequence, { time: 4, era: 5 });
      manifest.offered(filling, 7, 0);
      expect(check()).toStrictEqual([known(sequence), learned(filling, 7)]);
    }
    manifest.need([], 0);
    const anew = offer(9, 9, { time: 6, era: 6 });
    manifest.offered(anew, 7, 0);
    expect(check()).toStrictEqual([renewed, known(9), learned(anew, 7)]);
  });

  it("brings nothing back that the rendition has left behind", () => {
    watch();
    const newer = livePage(10, 10, { time: 3, first: 5 });
    manifest.receive({ type: "ManifestArrived", page: newer }, 0);
    check();
    manifest.offered(offer(4, 4, { time: 2, last: 10 }), 7, 0);
    expect(manifest.takeEvents()).toStrictEqual([]);
    expect(manifest.record(4)).toBeUndefined();
  });

  it("is not younger for a page that was long on its way", () => {
    watch();
    manifest.receive({ type: "ManifestArrived", page: livePage(9, 9) }, 10.1);
    manifest.offered(offer(10, 10, { time: 2 }), 7, 10.1);
    expect(manifest.takeEvents()).toStrictEqual([]);
  });

  it("is not looked at if it is older than five segments", () => {
    watch();
    manifest.offered(offer(10, 10, { time: 2 }), 7, 10.1);
    expect(manifest.takeEvents()).toStrictEqual([]);
    manifest.offered(offer(10, 10, { time: 2 }), 7, 10);
    expect(check()).toContainEqual(known(10));
  });

  it("is proved by each signature that is by a known key", () => {
    const other = { ...KEY, id: "other", algorithm: "ecdsa-p256" } as const;
    watch({ keys: [KEY, other] });
    const { page, hashes } = offer(10, 10);
    const [first] = page.signatures;
    if (!first) throw new Error("unsigned");
    const second = { ...first, key: "other", algorithm: "ecdsa-p256" } as const;
    const both: Records = { type: "records", page: { ...page, signatures: [first, second] }, hashes };
    manifest.offered(both, 7, 0);
    const verifies = manifest.takeEvents().filter(({ type }) => type === "Verify");
    expect(verifies).toMatchObject([{ algorithm: "ed25519" }, { algorithm: "ecdsa-p256" }]);
    // A signature that says it was made in another way than its key is for is none.
    manifest.offered({ ...both, page: { ...page, signatures: [{ ...first, key: "other" }] } }, 7, 0);
    expect(manifest.takeEvents()).toStrictEqual([]);
  });

  it("is not believed if something newer has come before the proof", () => {
    watch();
    manifest.offered(offer(9, 10), 7, 0);
    const newer = livePage(9, 9, { time: 5, era: 5 });
    const segments = newer.segments.map(wrongRoot);
    manifest.receive({ type: "ManifestArrived", page: { ...newer, segments } }, 0);
    expect(check()).not.toContainEqual(known(10));
    expect(manifest.record(10)).toBeUndefined();
  });

  it("is passed on with the signature that was verified, and nothing else", () => {
    watch();
    const records = offer(10, 10);
    const junk = { key: "junk", algorithm: "ed25519", value: "AAAA" } as const;
    const signatures = [junk, ...records.page.signatures];
    manifest.offered({ ...records, page: { ...records.page, signatures, keys: [KEY] } }, 7, 0);
    expect(check()).toStrictEqual([known(10), learned(records, 7)]);
  });
});

describe("what others are told", () => {
  it("is no page that happens to be short", () => {
    manifest.need([0, 1], 0);
    manifest.receive({ type: "ManifestArrived", page: livePage(0, 1) }, 0);
    hashes([0, 1]);
    expect(check().slice(-2)).toStrictEqual([known(0), known(1)]);
  });

  it("is what few records the origin was asked for, once all are known", () => {
    watch();
    manifest.need([10, 11], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchRecords(10, 11)]);
    const page = livePage(10, 11, { time: 2 });
    manifest.receive({ type: "ManifestArrived", page }, 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(10, 11)]);
    hashes([10, 10]);
    expect(check()).toStrictEqual([known(10), fetchHashes(11, 11)]);
    hashes([11, 11]);
    expect(check()).toStrictEqual([known(11), learned(offer(10, 11), null)]);
    manifest.offered(offer(10, 10), 7, 0);
    manifest.receive({ type: "ManifestArrived", page: livePage(11, 11, { time: 2 }) }, 0);
    expect(manifest.takeEvents()).toStrictEqual([]);
  });
});
