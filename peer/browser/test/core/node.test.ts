/** Whole nodes: that what one sends the other can use, and that decisions are taken together. */

import { describe, expect, it } from "vitest";

import { Node } from "../../src/core/node";
import type { Event, Input } from "../../src/core/ports";
import { CHUNK_SIZE } from "../../src/model";
import { decodeFrame, encodeFrame } from "../../src/wire/chunk";
import { decodeLink, encode } from "../../src/wire/codec";
import type { FromTracker } from "../../src/wire/tracker";
import { CONTENT, Media, SITE, sha256 } from "./media";

const identity = { site: SITE, content: CONTENT, client: "browser" } as const;
const media = new Media(
  [0, 1, 2].map((sequence) => {
    return { rendition: "v", sequence, length: 2 * CHUNK_SIZE + 5, duration: 2000 };
  }),
  false,
);
const key = { rendition: "v", sequence: 1 };
const playing = { type: "Playing", rendition: "v", head: 0, last: 2, buffer: 20, live: false } as const;

/** A node whose manifest is answered at once; the rest of its events is kept. */
class Viewer {
  readonly node = new Node(identity, 0);
  readonly events: Event[] = [];
  /** The link that it last made an offer for. */
  link = 0;

  receive(input: Input, now: number): void {
    this.node.receive(input, now);
    this.drain(now);
  }

  /** Whatever is due by then. */
  wake(now: number): void {
    this.node.onTimer(now);
    this.drain(now);
  }

  loads(sequence: number, now: number): void {
    const of = { ...key, sequence };
    this.receive({ type: "Loaded", key: of, data: media.bytesOf(of), cached: false }, now);
  }

  private drain(now: number): void {
    for (const event of this.node.takeEvents()) this.take(event, now);
  }

  private take(event: Event, now: number): void {
    if (event.type === "FetchManifest") {
      const page = media.page(event.rendition, event.sequence, now);
      this.receive({ type: "ManifestArrived", page }, now);
    } else if (event.type === "FetchHashes") {
      const { rendition, sequences } = event;
      const data = media.hashes(rendition, sequences, now);
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

describe("decisions", () => {
  it("are taken together, but for what the player asks for", () => {
    const { node } = new Viewer();
    const receive = (input: Input, now: number): string[] => {
      node.receive(input, now);
      return node.takeEvents().map(({ type }) => type);
    };
    expect(receive(playing, 0)).toStrictEqual(["FetchManifest"]);
    const page = media.page("v", 0, 0);
    expect(receive({ type: "ManifestArrived", page }, 0.01)).toStrictEqual(["FetchHashes"]);
    expect(node.timerAt()).toBeCloseTo(0.05, 9);
    const sequences = [0, 2] as const;
    const data = media.hashes("v", sequences, 0);
    receive({ type: "HashesArrived", rendition: "v", sequences, data }, 0.02);
    for (const check of [1, 2, 3]) receive({ type: "Checked", check, ok: true }, 0.02);
    expect(receive({ type: "Demand", key, within: 0 }, 0.03)).toStrictEqual(["FetchRange"]);
  });
});

describe("two nodes", () => {
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
      { type: "joined", peer, peers: 1, expires: null, mode: "any", relays: null, mac: null },
      { type: "invite", pairing, peer: "d".repeat(16) },
    ];
    for (const message of messages) viewer.receive({ type: "TrackerSays", message }, 0);
    viewer.receive({ type: "LinkOpened", link: viewer.link }, 0);
  }

  /** Carries what is said over the link from one to the other, until nobody says anything. */
  function talk(one: Viewer, other: Viewer, now: number): void {
    one.wake(now);
    other.wake(now);
    for (let silent = 0; silent < 2; [one, other] = [other, one]) {
      silent += 1;
      for (const out of one.node.takeMessages()) {
        if (out.type === "TellLink") {
          const message = decodeLink(encode(out.message));
          other.receive({ type: "LinkSays", link: other.link, message }, now);
          silent = 0;
        } else if (out.type === "SendFrame") {
          const frame = decodeFrame(encodeFrame(out.frame).buffer);
          other.receive({ type: "LinkSends", link: other.link, frame }, now);
          one.receive({ type: "LinkDrained", link: one.link, buffered: 0 }, now);
          silent = 0;
        }
      }
    }
  }

  it("share a segment over their link, byte for byte", () => {
    const [seeder, viewer] = [new Viewer(), new Viewer()];
    seeder.receive(playing, 0);
    seeder.loads(1, 0);
    join(seeder, "a".repeat(16));
    join(viewer, "b".repeat(16));
    viewer.receive(playing, 0);
    viewer.loads(0, 0);
    talk(seeder, viewer, 0);
    viewer.receive({ type: "Demand", key, within: 20 }, 0.1);
    for (const now of [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]) talk(viewer, seeder, now);
    const ready = viewer.events.find(({ type }) => type === "SegmentReady");
    if (ready?.type !== "SegmentReady") throw new Error("the segment did not come");
    expect(sha256(ready.data)).toStrictEqual(sha256(media.bytesOf(key)));
    expect(ready.originBytes).toBe(0);
    expect(viewer.node.stats).toMatchObject({ peerBytes: 2 * CHUNK_SIZE + 5, wasteBytes: 0 });
    expect(seeder.node.stats).toMatchObject({ uploadedBytes: 2 * CHUNK_SIZE + 5 });
  });
});

/* eslint-disable @typescript-eslint/dot-notation -- of lateness nothing is to be seen from outside */
describe("a machine that is late", () => {
  it("is so once, however many messages wait", () => {
    const node = new Node(identity, 0);
    node["_wakeAt"] = 1;
    node["_neighbours"].goodput.asking(0.9);
    expect(node.timerAt()).toBe(1);
    for (let number = 0; number < 40; number++) {
      node.receive({ type: "Device" }, 1.2 + number / 2_000); // heard before the timer rings
      expect(node.timerAt()).toBe(1);
    }
    expect(node["_neighbours"].goodput.askingSince).toBeCloseTo(1.15, 9);
  });

  it.each([false, true])("is short of time unless its page is hidden: %s", (hidden) => {
    const node = new Node(identity, 0);
    node.receive({ type: "Device", hidden }, 0);
    node["_wakeAt"] = 1;
    node.timerAt();
    node.onTimer(1.5);
    expect(node["_survey"].starvedUntil > 1.5).toBe(!hidden);
  });
});
