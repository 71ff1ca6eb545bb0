/** Nothing but what the origin said is believed, whoever says it, and however it was signed. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Manifest } from "../src/core/manifest";
import { matches } from "../src/digest";
import type { Span } from "../src/model";
import { isSignedBy, usableKeys, verifies } from "../src/verify";
import { decodeLink, decodeManifest } from "../src/wire/codec";
import type { Records, RenditionManifest } from "../src/wire/manifest";
import file from "../../../tests/vectors/substitutions.json";
import { bytesOfHex } from "./wire/vectors";

interface Case {
  readonly note: string;
  readonly kind: string;
  readonly said: unknown;
  readonly honest: boolean;
  readonly at?: number;
}

const cases: readonly Case[] = file.cases;
const { now, pins } = file;

beforeEach(() => {
  vi.stubGlobal("self", globalThis);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** Answers what the manifest wants verified; returns how much was believed. */
async function believed(manifest: Manifest, at: number): Promise<number> {
  let count = 0;
  for (let events = manifest.takeEvents(); events.length; events = manifest.takeEvents()) {
    for (const event of events) {
      if (event.type === "Check") {
        manifest.checked(event.check, (await matches(event.data, event.digest)) === true, at);
      } else if (event.type === "Verify") {
        const { algorithm, data, key, signature } = event;
        const ok = await verifies(algorithm, data, key, signature);
        manifest.checked(event.check, ok === true, at);
      } else if (["Known", "Learned", "Renewed"].includes(event.type)) count += 1;
    }
  }
  return count;
}

/** Somebody who knows what the origin said last, and its keys. */
async function viewer(): Promise<Manifest> {
  const page = decodeManifest(JSON.stringify(file.known)) as RenditionManifest;
  let last = 0;
  const manifest = new Manifest(page.content, page.rendition, () => ++last);
  const keys = await usableKeys(page.keys);
  manifest.receive({ type: "ManifestArrived", page: { ...page, keys } }, now);
  const sequences = file.proved as unknown as Span;
  const data = bytesOfHex(file.hashes);
  manifest.receive({ type: "HashesArrived", rendition: page.rendition, sequences, data }, now);
  expect(await believed(manifest, now)).toBe(sequences[1] - sequences[0] + 1);
  return manifest;
}

async function believes({ kind, said, at = now }: Case): Promise<boolean> {
  if (kind === "pinned") {
    const page = decodeManifest(JSON.stringify(said));
    return isSignedBy(await usableKeys(page.keys, pins), page);
  }
  const manifest = await viewer();
  if (kind === "offer") {
    manifest.offered(decodeLink(JSON.stringify(said)) as Records, 7, at);
  } else {
    const data = bytesOfHex(said as string);
    manifest.receive({ type: "HashesArrived", rendition: "v", sequences: [8, 8], data }, at);
  }
  return (await believed(manifest, at)) > 0;
}

describe("a viewer", () => {
  it("believes what is honest", async () => {
    const honest = cases.filter((one) => one.honest);
    expect(honest.length).toBeGreaterThan(40);
    for (const one of honest) expect([one.note, await believes(one)]).toStrictEqual([one.note, true]);
  });

  it("believes nothing else", async () => {
    const others = cases.filter((one) => !one.honest);
    expect(others.length).toBeGreaterThan(150);
    for (const one of others) expect([one.note, await believes(one)]).toStrictEqual([one.note, false]);
  });
});
