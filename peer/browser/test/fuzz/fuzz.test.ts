/**
 * Inputs from strangers: nothing may come out of a decoder but what it names or a `RemoteError`, and
 * whatever a decoder lets through must do no harm to the machine behind it. A fixed sample with every
 * test run; `FUZZ_INPUTS` makes it millions (`make fuzz`).
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Link } from "../../src/core/link";
import { RemoteError } from "../../src/errors";
import { CHUNK_SIZE, chunkCount, HASH_SIZE } from "../../src/model";
import { decodeFrame, encodeFrame } from "../../src/wire/chunk";
import { decodeFromTracker, decodeLink, decodeManifest, encode } from "../../src/wire/codec";
import { CONTROL_BYTES, type Hello, type LinkMessage } from "../../src/wire/link";
import { fromBase64, signedBytes, splitHashes, toBase64 } from "../../src/wire/manifest";
import { messages, textOf } from "../wire/vectors";
import { mutatedBytes, mutatedTexts } from "./mutated";

/** The rest of half a million is Python's. */
const INPUTS = Number(process.env["FUZZ_INPUTS"] ?? 200_000);
const SEED = process.env["FUZZ_SEED"] === undefined ? 1 : Number(process.env["FUZZ_SEED"]);
const TIMEOUT = 60_000 + INPUTS;

/** Gives a check so many hundredths of all inputs. */
function fuzz<T>(share: number, inputs: fc.Arbitrary<T>, check: (input: T) => void): void {
  const property = fc.property(inputs, (input) => {
    check(input);
  });
  fc.assert(property, { numRuns: Math.ceil((INPUTS * share) / 100), seed: SEED, endOnFailure: true });
}

/** What it reads; nothing if it refuses as it should. */
function read<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RemoteError) return undefined;
    throw error;
  }
}

const texts = (name: "fromTracker" | "link" | "manifest"): string[] =>
  [...messages[name].valid, ...messages[name].invalid].map(textOf).filter((t) => t.length < 20_000);

describe("inputs of strangers do no harm to", () => {
  it("messages of the tracker", () => {
    fuzz(28, mutatedTexts(texts("fromTracker")), (text) => {
      const message = read(() => decodeFromTracker(text));
      if (!message) return;
      expect(decodeFromTracker(JSON.stringify(message))).toStrictEqual(message);
    });
  }, TIMEOUT);

  it("messages of links", () => {
    fuzz(32, mutatedTexts(texts("link")), (text) => {
      const message = read(() => decodeLink(text));
      if (!message) return;
      expect(text.length).toBeLessThanOrEqual(CONTROL_BYTES);
      expect(decodeLink(encode(message))).toStrictEqual(message);
    });
  }, TIMEOUT);

  it("manifests", () => {
    fuzz(20, mutatedTexts(texts("manifest")), (text) => {
      const manifest = read(() => decodeManifest(text));
      if (!manifest) return;
      expect(decodeManifest(JSON.stringify(manifest))).toStrictEqual(manifest);
      if (manifest.type !== "rendition") return;
      signedBytes(manifest);
      const size = manifest.segments.reduce((sum, r) => sum + chunkCount(r.length) * HASH_SIZE, 0);
      if (size > 1e6) return;
      expect(splitHashes(new Uint8Array(size), manifest.segments)).toHaveLength(
        manifest.segments.length,
      );
      expect(splitHashes(new Uint8Array(size + 1), manifest.segments)).toBeNull();
    });
  }, TIMEOUT);

  it("hashes in base64", () => {
    fuzz(7, mutatedTexts(["", "AA", "_-_-", "A".repeat(44), "AAA="]), (text) => {
      const data = fromBase64(text);
      if (data) expect(toBase64(data).length).toBe(text.length);
    });
  }, TIMEOUT);

  it("frames", () => {
    const frames = [1, 5536, 16_384].map((size) =>
      encodeFrame({ want: 7, offset: 49_152, payload: new Uint8Array(size) }),
    );
    fuzz(10, mutatedBytes(frames), (data) => {
      const frame = read(() => decodeFrame(data.buffer));
      if (!frame) return;
      expect(frame.payload.length).toBeGreaterThan(0);
      expect(frame.offset + frame.payload.length).toBeLessThanOrEqual(CHUNK_SIZE);
      const again = encodeFrame(frame);
      expect(again.length === data.length && again.every((byte, i) => byte === data[i])).toBe(true);
    });
  }, TIMEOUT);

  it("a link", () => {
    const ours: Hello = {
      type: "hello",
      protocol: 1,
      content: "00112233445566778899aabbccddeeff",
      peer: "0000000000000000",
      upload: true,
    };
    const said = fc.array(mutatedTexts(texts("link")), { minLength: 1, maxLength: 12 });
    fuzz(3, said, (all) => {
      const link = new Link(0, ours, 0);
      link.receive({ ...ours, peer: "aaaaaaaaaaaaaaaa" }, 0);
      link.want({ rendition: "v", sequence: 7, chunk: 0 }, CHUNK_SIZE, "usual", 0);
      for (const [i, text] of all.entries()) {
        const message: LinkMessage | undefined = read(() => decodeLink(text));
        if (message && link.state !== "over") link.receive(message, i / 100);
        link.takeMessages();
        link.takeEvents();
        expect(link.owed).toBeLessThanOrEqual(16 * CHUNK_SIZE);
      }
      link.onTimer(100);
    });
  }, TIMEOUT);
});

describe("the fuzzer", () => {
  it("finds what throws something else", () => {
    const naive = (text: string): void => {
      read(() => JSON.parse(text) as unknown);
    };
    expect(() => {
      fuzz(1, mutatedTexts(texts("link")), naive);
    }).toThrow("Property failed");
  });
});
