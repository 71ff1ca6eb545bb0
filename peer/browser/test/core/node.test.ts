/** Whole nodes: how far ahead they look, and that what one sends the other can use. */

import { describe, expect, it } from "vitest";

import { Node } from "../../src/core/node";
import type { Event, Input } from "../../src/core/ports";
import { CHUNK_SIZE, type Span } from "../../src/model";
import { decodeFrame, encodeFrame } from "../../src/wire/chunk";
import { decodeLink, encode } from "../../src/wire/codec";
import type { FromTracker } from "../../src/wire/tracker";
import { CONTENT, Media, SITE, sha256 } from "./media";

const identity = { site: SITE, content: CONTENT, client: "browser" } as const;

function mediaOf(count: number, length: number, duration: number): Media {
  const sequences = [...Array(count).keys()];
  const pieces = sequences.map((sequence) => ({ rendition: "v", sequence, length, duration }));
  return new Media(pieces, false);
}

/** A node whose manifest is answered at once; the rest of its events is kept. */
class Viewer {
  readonly node = new Node(identity, 0);
  readonly events: Event[] = [];
  /** The hashes that it asked for. */
  readonly hashes: Span[] = [];
  /** The link that it last made an offer for. */
  link = 0;

  constructor(private readonly media: Media) {}

  receive(input: Input, now = 0): void {
    this.node.receive(input, now);
    for (const event of this.node.takeEvents()) this.take(event, now);
  }

  private take(event: Event, now: number): void {
    if (event.type === "FetchManifest") {
      const page = this.media.page(event.rendition, event.sequence, now);
      this.receive({ type: "ManifestArrived", page }, now);
    } else if (event.type === "FetchHashes") {
      const { rendition, sequences } = event;
      this.hashes.push(sequences);
      const data = this.media.hashes(rendition, sequences, now);
      this.receive({ type: "HashesArrived", rendition, sequences, data }, now);
    } else if (event.type === "Check") {
      const { check, data, digest } = event;
      const ok = sha256(data).every((byte, at) => byte === digest[at]);
      this.receive({ type: "Checked", check, ok }, now);
    } else {
      if (event.type === "MakeOffer") this.link = event.link;
      this.events.push(event);
    }
  }
}

describe("what lies ahead", () => {
  it.each([
    ["a minute of it", 2000, 30],
    ["64 segments of it, however short they are", 100, 64],
    ["at least one segment, however long it is", 90_000, 1],
  ])("matters: %s", (_, duration, segments) => {
    const viewer = new Viewer(mediaOf(100, 1000, duration));
    const playing = { type: "Playing", rendition: "v", last: 99, buffer: 30, live: false } as const;
    viewer.receive({ ...playing, head: 0 });
    viewer.receive({ ...playing, head: 0 }); // by now it is known how long a segment is
    const first = viewer.hashes[0]?.[0];
    const last = Math.max(...viewer.hashes.map((span) => span[1]));
    expect(first).toBe(0);
    // The first look, which knew nothing, was for fifteen segments of the usual four seconds.
    expect(last + 1).toBe(Math.max(segments, 15));
  });
});

describe("two nodes", () => {
  const media = mediaOf(3, 2 * CHUNK_SIZE + 5, 2000);
  const key = { rendition: "v", sequence: 1 };

  function join(viewer: Viewer, peer: string): void {
    const pairing = "c".repeat(16);
    const messages: FromTracker[] = [
      {
        type: "welcome",
        protocol: 1,
        nonce: "0".repeat(32),
        limits: { message_bytes: 65_536, messages_per_second: 20, links: 16 },
        report_every: 1000,
        stun: null,
      },
      { type: "joined", peer, peers: 1 },
      { type: "invite", pairing, peer: "d".repeat(16) },
    ];
    for (const message of messages) viewer.receive({ type: "TrackerSays", message });
    viewer.receive({ type: "LinkOpened", link: viewer.link });
  }

  /** Carries what is said over the link from one to the other, until nobody says anything. */
  function talk(one: Viewer, other: Viewer): void {
    for (let silent = 0; silent < 2; [one, other] = [other, one]) {
      silent += 1;
      for (const out of one.node.takeMessages()) {
        if (out.type === "TellLink") {
          const message = decodeLink(encode(out.message));
          other.receive({ type: "LinkSays", link: other.link, message });
          silent = 0;
        } else if (out.type === "SendFrame") {
          const frame = decodeFrame(encodeFrame(out.frame).buffer);
          other.receive({ type: "LinkSends", link: other.link, frame });
          one.receive({ type: "LinkDrained", link: one.link, buffered: 0 });
          silent = 0;
        }
      }
    }
  }

  it("share a segment over their link, byte for byte", () => {
    const [seeder, viewer] = [new Viewer(media), new Viewer(media)];
    seeder.receive({ type: "Loaded", key, data: media.bytesOf(key), cached: false });
    join(seeder, "a".repeat(16));
    join(viewer, "b".repeat(16));
    talk(seeder, viewer);
    viewer.receive({
      type: "Loaded",
      key: { ...key, sequence: 0 },
      data: media.bytesOf({ ...key, sequence: 0 }),
      cached: false,
    });
    viewer.receive({ type: "Playing", rendition: "v", head: 0, last: 2, buffer: 20, live: false });
    talk(viewer, seeder);
    viewer.receive({ type: "Demand", key, within: 20 }, 0.1);
    const ready = viewer.events.find(({ type }) => type === "SegmentReady");
    if (ready?.type !== "SegmentReady") throw new Error("the segment did not come");
    expect(sha256(ready.data)).toStrictEqual(sha256(media.bytesOf(key)));
    expect(ready.originBytes).toBe(0);
    expect(viewer.node.stats).toMatchObject({ peerBytes: 2 * CHUNK_SIZE + 5, wasteBytes: 0 });
    expect(seeder.node.stats).toMatchObject({ uploadedBytes: 2 * CHUNK_SIZE + 5 });
  });
});
