/**
 * Checks of what came over the wire. A check takes a value and gives back exactly what it names:
 * fields nobody knows are left out, fields left out get their defaults, and whatever is not as it
 * should be is a `RemoteError` that says where. There is no check that lets a value through
 * unseen, so what nobody thought of is refused.
 *
 * A fraction that is whole (`1.0`) is an integer, as in JSON Schema: JavaScript sees no difference.
 */

import { RemoteError } from "../errors";

/** `value` as it should be; `at` is the way to it, as in `$.holdings[0].sequence`. */
export type Check<T = unknown> = (value: unknown, at: string) => T;

type Fields = Readonly<Record<string, unknown>>;

/** One of these values. */
export function literal(...values: readonly unknown[]): Check {
  return passes((value) => values.includes(value));
}

export const boolean = passes((value) => typeof value === "boolean");

/** A finite number within these bounds. */
export function number(least = -Infinity, most = Infinity): Check {
  return passes((value) => Number.isFinite(value) && isWithin(value as number, least, most));
}

/** A whole number within these bounds. */
export function integer(least = -Infinity, most = Infinity): Check {
  return passes((value) => Number.isInteger(value) && isWithin(value as number, least, most));
}

/** A text of at most so many characters (not UTF-16 units), and of this pattern. */
export function text(most = Infinity, pattern = /^/): Check {
  return passes(
    (value) =>
      typeof value === "string" &&
      (value.length <= most || Array.from(value).length <= most) &&
      // Half of a surrogate pair is no character, and has no UTF-8 bytes to sign or send on.
      !/\p{Surrogate}/u.test(value) &&
      pattern.test(value),
  );
}

/** This, or null. */
export function orNull(check: Check): Check {
  return (value, at) => (value === null ? value : check(value, at));
}

/** This; and if there is nothing, the default. */
export function optional(check: Check, byDefault: unknown): Check {
  return (value, at) => (value === undefined ? byDefault : check(value, at));
}

/** At most so many of these. */
export function list(check: Check, most = Infinity): Check {
  const isShort = passes((value) => Array.isArray(value) && value.length <= most);
  return (value, at) =>
    (isShort(value, at) as unknown[]).map((item, i) => check(item, `${at}[${i}]`));
}

/** Exactly these, one after the other. */
export function tuple(...checks: readonly Check[]): Check {
  const isComplete = passes((value) => Array.isArray(value) && value.length === checks.length);
  return (value, at) => {
    const items = isComplete(value, at) as unknown[];
    return checks.map((check, i) => check(items[i], `${at}[${i}]`));
  };
}

/** An object with these fields. */
export function record(checks: Readonly<Record<string, Check>>): Check<object> {
  return (value, at) => {
    const fields = isObject(value, at) as Fields;
    const entries = Object.entries(checks);
    return Object.fromEntries(
      entries.map(([name, check]) => [name, check(own(fields, name), `${at}.${name}`)]),
    );
  };
}

/** An object whose `type` says which of these it is. */
export function union<T>(options: Readonly<Record<string, Check<object>>>): Check<T> {
  const isKnown = passes((type) => own(options, type) !== undefined);
  return (value, at) => {
    const type = isKnown(own(isObject(value, at) as Fields, "type"), `${at}.type`);
    return { type, ...own(options, type)?.(value, at) } as T;
  };
}

const isObject = passes(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

function passes(allows: (value: unknown) => boolean): Check {
  return (value, at) => {
    if (!allows(value)) throw new RemoteError("malformed", at);
    return value;
  };
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

/** What the object itself has under this name, and never what it inherits. */
function own<T>(object: Readonly<Record<string, T>>, name: unknown): T | undefined {
  return typeof name === "string" && Object.hasOwn(object, name) ? object[name] : undefined;
}
