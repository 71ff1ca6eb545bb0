/** What is known of a rendition, and how it comes to be known. */

import { beforeEach, describe, expect, it } from "vitest";

import { Manifest } from "../../src/core/manifest";
import type { Event } from "../../src/core/ports";
import type { Span } from "../../src/model";
import type { RenditionManifest } from "../../src/wire/manifest";
import { CONTENT, Media, sha256 } from "./media";

const media = new Media(
  Array.from({ length: 100 }, (_, sequence) => {
    return { rendition: "v", sequence, length: 70_000, duration: 2000 };
  }),
  false,
);

const page = (sequence: number, more: Partial<RenditionManifest> = {}): RenditionManifest => ({
  ...media.page("v", sequence, 0),
  ...more,
});

let manifest: Manifest;

beforeEach(() => {
  let last = 0;
  manifest = new Manifest(CONTENT, "v", () => ++last);
});

function arrive(more: Partial<RenditionManifest> = {}, now = 0): number[] {
  return manifest.receive({ type: "ManifestArrived", page: page(0, more) }, now);
}

function hashes(sequences: Span, now = 0): void {
  const data = media.hashes("v", sequences, 0);
  manifest.receive({ type: "HashesArrived", rendition: "v", sequences, data }, now);
}

/** Answers all checks; returns the other events. */
function check(now = 0, ok?: boolean): Event[] {
  return manifest.takeEvents().filter((event) => {
    if (event.type !== "Check") return true;
    const right = sha256(event.data).every((byte, at) => byte === event.digest[at]);
    manifest.checked(event.check, ok ?? right, now);
    return false;
  });
}

const fetchPage = (sequence: number): Event => {
  return { type: "FetchManifest", rendition: "v", sequence };
};
const fetchHashes = (...sequences: [number, number]): Event => {
  return { type: "FetchHashes", rendition: "v", sequences };
};

describe("a segment that is needed", () => {
  it("gets its record, its hashes and their proof, in this order", () => {
    manifest.need([3, 4], 0);
    expect(manifest.takeEvents()).toStrictEqual([fetchPage(3)]);
    expect(arrive()).toStrictEqual([]);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(3, 4)]);
    expect(manifest.knows(3)).toBe(false);
    hashes([3, 4]);
    expect([check(), manifest.knows(3), manifest.knows(4)]).toStrictEqual([[], true, true]);
    expect(manifest.hashes(3)).toHaveLength(64);
    expect([manifest.hashes(5), manifest.timerAt()]).toStrictEqual([undefined, null]);
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
    manifest.need([3], 0);
    expect([manifest.takeEvents(), manifest.record(3)]).toStrictEqual([[], undefined]);
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

  it("is a hash list that is not the root's", () => {
    manifest.need([3], 0);
    arrive();
    hashes([3, 3]);
    check(0, false);
    expect([manifest.knows(3), manifest.timerAt()]).toStrictEqual([false, 0.5]);
    manifest.onTimer(0.5);
    expect(manifest.takeEvents()).toStrictEqual([fetchHashes(3, 3)]);
  });
});

describe("a segment that changes", () => {
  it("is not known any more, and said", () => {
    manifest.need([3], 0);
    arrive();
    hashes([3, 3]);
    check();
    const segments = page(0).segments.map((record) =>
      record.sequence === 3 ? { ...record, root: "0".repeat(64) } : { ...record },
    );
    expect([arrive({ time: 2, segments }), manifest.knows(3)]).toStrictEqual([[3], false]);
  });
});
