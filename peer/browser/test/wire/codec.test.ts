/** Messages decode to what they say, or to a `RemoteError`; the vectors say which. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { RemoteError } from "../../src/errors";
import { decodeFromTracker, decodeLink, decodeManifest, encode } from "../../src/wire/codec";
import type { LinkMessage } from "../../src/wire/link";
import { messages, textOf, valueOf, type Case } from "./vectors";

const DECODERS = {
  fromTracker: decodeFromTracker,
  link: decodeLink,
  manifest: decodeManifest,
};

function codeOf(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    if (error instanceof RemoteError) return error.code;
    throw error;
  }
  return "accepted";
}

describe.each(Object.entries(DECODERS))("%s", (name, decode) => {
  const { valid, invalid } = messages[name as keyof typeof DECODERS];

  it.each(valid)("takes $note", (one: Case) => {
    expect(decode(textOf(one))).toStrictEqual(valueOf(one));
  });

  it.each(valid)("encodes $note to what it decodes to", (one: Case) => {
    const message = decode(textOf(one));
    expect(decode(encode(message as LinkMessage))).toStrictEqual(message);
  });

  it.each(invalid)("refuses $note", (one) => {
    expect(codeOf(() => decode(textOf(one)))).toBe(one.code);
  });

  it("raises nothing but RemoteError, whatever comes", () => {
    const anything = fc.oneof(fc.string({ unit: "binary" }), fc.json());
    fc.assert(
      fc.property(anything, (text) => {
        codeOf(() => decode(text));
      }),
    );
  });

  it("refuses a damaged message, or takes it for a whole one", () => {
    const damaged = fc
      .constantFrom(...valid)
      .map((one) => valueOf(one) as Record<string, unknown>)
      .chain((value) =>
        fc
          .tuple(fc.constantFrom(...paths(value)), fc.jsonValue())
          .map(([path, junk]) => JSON.stringify(replaced(value, path, junk))),
      );
    fc.assert(
      fc.property(damaged, (text) => {
        if (codeOf(() => decode(text)) !== "accepted") return;
        const message = decode(text);
        expect(decode(encode(message as LinkMessage))).toStrictEqual(message);
      }),
    );
  });
});

/** The way to every value inside this one. */
function paths(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [key],
    ...paths(inner).map((path) => [key, ...path]),
  ]);
}

function replaced(value: unknown, [key, ...path]: string[], junk: unknown): unknown {
  if (key === undefined) return junk;
  const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) };
  const inner = (copy as Record<string, unknown>)[key];
  return Object.assign(copy, { [key]: replaced(inner, path, junk) });
}

describe("what is no text", () => {
  it.each([undefined, null, 7, new ArrayBuffer(4), { type: "bye" }])("is refused: %o", (data) => {
    for (const decode of [decodeFromTracker, decodeLink, decodeManifest]) {
      expect(codeOf(() => decode(data))).toBe("malformed");
    }
  });
});

describe("a refusal", () => {
  it("says where the message is wrong", () => {
    const text = '{"type":"have","holdings":[{"rendition":"r","sequence":1,"chunks":[[1,"2"]]}]}';
    expect(() => decodeLink(text)).toThrow("malformed: $.holdings[0].chunks[0][1]");
  });
});
