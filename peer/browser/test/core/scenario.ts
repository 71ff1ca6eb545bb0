/** Plays a scenario of tests/vectors/scenarios, as the README there says. */

import { Node } from "../../src/core/node";
import type { Event, Input, Outgoing } from "../../src/core/ports";
import type { Bytes, SegmentKey, Span } from "../../src/model";
import { framesOf } from "../../src/wire/chunk";
import { decodeFromTracker, decodeLink } from "../../src/wire/codec";
import { fromBase64, toBase64, type Records, type RenditionManifest } from "../../src/wire/manifest";
import {
  CONTENT,
  Media,
  SITE,
  genuine,
  inverted,
  sha256,
  signed,
  synthetic,
  type Piece,
} from "./media";

export type Json = Readonly<Record<string, unknown>>;

export interface Step {
  readonly at: number;
  readonly asleep?: boolean;
  readonly note?: string;
  readonly receive?: Json | readonly Json[];
  readonly sends?: readonly Json[];
  readonly events?: readonly Json[];
  readonly state?: Json;
}

export interface Scenario {
  readonly story: string;
  readonly segments: readonly Piece[];
  readonly live?: boolean;
  readonly store_bytes?: number;
  readonly manual?: readonly string[];
  readonly before?: readonly string[];
  readonly steps: readonly Step[];
}

interface GivenData extends SegmentKey {
  readonly first?: number;
  readonly last?: number;
  readonly wrong?: boolean;
}

interface GivenFrames {
  readonly link: number;
  readonly want: number;
  readonly offset: number;
  readonly data: GivenData;
}

interface GivenAnswer {
  readonly rendition: string;
  readonly sequences: Span;
  readonly time?: number;
  readonly era?: number;
  readonly first?: number;
  readonly last?: number;
  readonly failed?: boolean;
  readonly wrong?: boolean;
}

interface GivenRecords extends GivenAnswer {
  readonly link?: number;
  readonly forged?: boolean;
}

interface GivenChecked {
  readonly check: number;
  readonly ok?: boolean;
}

/** What came out of one step, in the form in which a scenario expects it. */
export interface Outcome {
  readonly sends: unknown[];
  readonly events: unknown[];
}

/** Seconds that a step keeps from every timer, so that no rounding decides which comes first. */
const MARGIN = 1e-6;

/** So many timers and answers a step, and something goes round in a circle. */
const MOST_ROUNDS = 10_000;

/** One node, and everything that a scenario does to it. */
export class Player {
  readonly node: Node;
  private readonly media: Media;
  private readonly manual: ReadonlySet<string>;
  private readonly numbers = new Numbers();
  private readonly checks = new Map<number, boolean>();
  private readonly answers: Input[] = [];
  private outcome: Outcome = { sends: [], events: [] };
  private now = 0;

  constructor({ segments, live = false, store_bytes, manual = [] }: Scenario) {
    const identity = { site: SITE, content: CONTENT, client: "browser" } as const;
    this.node = new Node(identity, 0, store_bytes);
    this.media = new Media(segments, live);
    this.manual = new Set(manual);
  }

  /** Do what the step says; returns what came of it. */
  step({ at, asleep = false, receive = [] }: Step): Outcome {
    this.outcome = { sends: [], events: [] };
    if (asleep) this.now = at;
    else this.passUntil(at);
    for (const given of [receive].flat()) this.give(given);
    return this.outcome;
  }

  /** What a step's `state` may speak of. */
  state(): unknown {
    return snake({ ...this.node.stats, storeBytes: this.node.store.size });
  }

  // In

  private passUntil(at: number): void {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const timer = this.node.timerAt();
      if (timer !== null && Math.abs(timer - at) <= MARGIN) {
        throw new Error(`a timer is at ${timer} already`);
      }
      if (timer === null || timer > at) {
        this.now = at;
        return;
      }
      this.now = Math.max(this.now, timer);
      this.node.onTimer(this.now);
      this.drain();
      if ((this.node.timerAt() ?? Infinity) <= this.now) {
        throw new Error(`a machine spins at ${this.now}`);
      }
    }
    throw new Error(`${MOST_ROUNDS} timers before ${at}`);
  }

  private give(given: Json): void {
    if (given["type"] === "Farewell") {
      this.node.farewell();
      this.drain();
      return;
    }
    for (const input of this.inputs(this.numbers.back(given) as Json)) {
      this.node.receive(input, this.now);
      this.drain();
    }
  }

  /** The inputs that a scenario's input stands for. */
  private inputs(given: Json): Input[] {
    switch (given["type"]) {
      case "Frames": {
        const { link, want, data } = given as unknown as GivenFrames;
        const frames = [...framesOf(want, this.data(data))];
        return frames.map((frame) => ({ type: "LinkSends", link, frame }));
      }
      case "LinkSends": {
        const { link, want, offset, data } = given as unknown as GivenFrames;
        return [{ type: "LinkSends", link, frame: { want, offset, payload: this.data(data) } }];
      }
      case "ManifestArrived":
        return [{ type: "ManifestArrived", page: this.page(given as unknown as GivenAnswer) }];
      case "HashesArrived":
        return [this.hashes(given as unknown as GivenAnswer)];
      case "Records":
        return [this.records(given as unknown as GivenRecords)];
      case "Checked": {
        const { check, ok = this.checks.get(check) ?? false } = given as unknown as GivenChecked;
        return [{ type: "Checked", check, ok }];
      }
      default: {
        const fields = Object.entries(given);
        const values = fields.map(([name, value]) => [camel(name), this.value(given, name, value)]);
        return [Object.fromEntries(values) as Input];
      }
    }
  }

  private value({ type }: Json, name: string, value: unknown): unknown {
    if (name === "data") return this.data(value as GivenData);
    if (name !== "message") return value;
    const decode = type === "TrackerSays" ? decodeFromTracker : decodeLink;
    return decode(JSON.stringify(value));
  }

  /** The bytes that an input's `data` stands for. */
  private data({ rendition, sequence, first = 0, last, wrong }: GivenData): Bytes {
    const key: SegmentKey = { rendition, sequence };
    const found = synthetic(key, [first, last ?? this.media.bytesOf(key).length - 1]);
    return wrong ? inverted(found) : found;
  }

  private page(given: GivenAnswer): RenditionManifest {
    const { rendition, sequences, time, era, wrong = false } = given;
    const page = this.media.pageOfSpan(rendition, sequences, this.now, time, wrong, era);
    return signed({ ...page, first: given.first ?? page.first, last: given.last ?? page.last });
  }

  /** What somebody says who knows these segments. */
  private records({ link, forged, wrong, ...given }: GivenRecords): Input {
    const { rendition, sequences } = given;
    const right = { ...this.page(given), keys: [] };
    const page = forged ? withSignature(right, inverted) : right;
    const hashes = this.media.hashes(rendition, sequences, this.now) ?? new Uint8Array();
    const told = toBase64(wrong ? inverted(hashes) : hashes);
    const message: Records = { type: "records", page, hashes: told };
    return link === undefined
      ? { type: "TrackerSays", message }
      : { type: "LinkSays", link, message };
  }

  private hashes({ rendition, sequences, failed, wrong }: GivenAnswer): Input {
    const right = failed ? null : this.media.hashes(rendition, sequences, this.now);
    const data = right && wrong ? inverted(right) : right;
    return { type: "HashesArrived", rendition, sequences, data };
  }

  // Out

  private drain(): void {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      for (const out of this.node.takeMessages()) {
        this.outcome.sends.push(this.numbers.forth(plain(out)));
      }
      for (const event of this.node.takeEvents()) this.take(event);
      const answer = this.answers.shift();
      if (!answer) return;
      this.node.receive(answer, this.now);
    }
    throw new Error(`${MOST_ROUNDS} answers at ${this.now}`);
  }

  private take(event: Event): void {
    if (event.type === "SegmentReady" && !isEqual(event.data, this.media.bytesOf(event.key))) {
      throw new Error(`segment ${event.key.sequence} has wrong bytes`);
    }
    if (event.type === "Check") {
      this.checks.set(event.check, isEqual(sha256(event.data), event.digest));
    }
    if (event.type === "Verify") {
      this.checks.set(event.check, genuine(event.data, event.signature));
    }
    const answer = this.manual.has(event.type) ? undefined : this.answer(event);
    if (answer) this.answers.push(answer);
    else this.outcome.events.push(this.numbers.forth(plain(event)));
  }

  private answer(event: Event): Input | undefined {
    switch (event.type) {
      case "FetchManifest":
        return {
          type: "ManifestArrived",
          page: this.media.page(event.rendition, event.sequence, this.now),
        };
      case "FetchRecords": {
        const { rendition, sequences } = event;
        return { type: "ManifestArrived", page: this.media.few(rendition, sequences, this.now) };
      }
      case "FetchHashes": {
        const { rendition, sequences } = event;
        const data = this.media.hashes(rendition, sequences, this.now);
        return { type: "HashesArrived", rendition, sequences, data };
      }
      case "Check":
      case "Verify": {
        const { check } = event;
        return { type: "Checked", check, ok: this.checks.get(check) ?? false };
      }
      default:
        return undefined;
    }
  }
}

/** The page with another value for its only signature. */
export function withSignature(
  page: RenditionManifest,
  change: (value: Bytes) => Bytes,
): RenditionManifest {
  const signatures = page.signatures.map((signature) => {
    const value = fromBase64(signature.value) ?? new Uint8Array();
    return { ...signature, value: toBase64(change(value)) };
  });
  return { ...page, signatures };
}

/** The scenario's numbers for links, fetches and checks, and the node's. */
class Numbers {
  private readonly known = { link: [] as number[], fetch: [] as number[], check: [] as number[] };

  /** From the node's numbers to the scenario's. */
  forth(value: unknown): unknown {
    return this.map(value, (known, number) => {
      if (!known.includes(number)) known.push(number);
      return known.indexOf(number) + 1;
    });
  }

  /** From the scenario's numbers to the node's. */
  back(value: unknown): unknown {
    return this.map(value, (known, number) => known[number - 1] ?? NaN);
  }

  private map(value: unknown, change: (known: number[], number: number) => number): unknown {
    if (Array.isArray(value)) return value.map((item) => this.map(item, change));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]: [string, unknown]) => {
        const kind = name === "offer" ? "link" : name;
        const isNumber = typeof item === "number" && kind in this.known;
        const known = this.known[kind as keyof typeof this.known];
        return [name, isNumber ? change(known, item) : this.map(item, change)];
      }),
    );
  }
}

/** What came out, as a scenario writes it; bytes are left out. */
function plain(value: Outgoing | Event): unknown {
  if (value.type === "SendFrame") {
    const { want, offset, payload } = value.frame;
    return { type: value.type, link: value.link, want, offset, length: payload.length };
  }
  return snake(value);
}

/** Field names as Python has them. (A wire message has them already.) */
function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, item]) => !(item instanceof Uint8Array));
  return Object.fromEntries(
    fields.map(([name, item]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snake(item),
    ]),
  );
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Where `found` is not what was expected of it; undefined if it is. */
export function difference(expected: unknown, found: unknown, where = ""): string | undefined {
  if (Array.isArray(expected) && Array.isArray(found)) {
    if (expected.length !== found.length) {
      const written = found.map((item) => JSON.stringify(item)).join("\n");
      return `${where}: ${expected.length} expected, ${found.length} found:\n${written}`;
    }
    const wrongs = expected.map((item, i) => difference(item, found[i], `${where}[${i}]`));
    return wrongs.find((wrong) => wrong !== undefined);
  }
  if (isObject(expected) && isObject(found)) {
    const wrongs = Object.entries(expected).map(([name, item]) =>
      difference(item, found[name], `${where}.${name}`),
    );
    return wrongs.find((wrong) => wrong !== undefined);
  }
  if ((expected ?? null) === (found ?? null)) return undefined;
  return `${where}: ${JSON.stringify(expected)} expected, ${JSON.stringify(found)} found`;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
