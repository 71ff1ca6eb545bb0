/**
 * Sets of chunk numbers as whole numbers: bit *i* stands for chunk *i*.
 *
 * What a peer decides comes down to questions like "missing here, held there, asked of nobody yet";
 * with masks each is one operation, however many chunks a segment has.
 */

import { spansOf, type Span } from "../model";

export type Mask = bigint;

/** This chunk alone. */
export function bitOf(number: number): Mask {
  return 1n << BigInt(number);
}

/** The chunks from `first` to `last`, both included; none if there are none between. */
export function run(first: number, last: number): Mask {
  return last >= first ? (bitOf(last - first + 1) - 1n) << BigInt(first) : 0n;
}

/** The chunks with these numbers. */
export function maskOf(numbers: Iterable<number>): Mask {
  let mask = 0n;
  for (const number of numbers) mask |= bitOf(number);
  return mask;
}

/** The chunks of these runs, as far as their numbers are below `most`. */
export function maskOfSpans(spans: Iterable<Span>, most: number): Mask {
  let mask = 0n;
  for (const [first, last] of spans) mask |= run(Math.max(first, 0), Math.min(last, most - 1));
  return mask;
}

/** The numbers of the chunks, ascending. */
export function numbersIn(mask: Mask): number[] {
  const digits = mask.toString(2);
  const numbers = [];
  for (let at = digits.length - 1; at >= 0; at--) {
    if (digits[at] === "1") numbers.push(digits.length - 1 - at);
  }
  return numbers;
}

/** The chunks as runs, ascending. */
export function spansIn(mask: Mask): Span[] {
  return spansOf(numbersIn(mask));
}

/** The lowest `most` chunks. */
export function firstOf(mask: Mask, most: number): Mask {
  return maskOf(numbersIn(mask).slice(0, Math.max(most, 0)));
}

/** `most` of the chunks, beginning with the one that `pick` gives and going round. */
export function someOf(mask: Mask, most: number, turn: number): Mask {
  const numbers = numbersIn(mask);
  const start = turn % numbers.length;
  return maskOf([...numbers.slice(start), ...numbers.slice(0, start)].slice(0, Math.max(most, 0)));
}

/** The chunk that comes after `turn` others, counted round and round; there has to be one. */
export function pick(mask: Mask, turn: number): number {
  const numbers = numbersIn(mask);
  return numbers[turn % numbers.length] ?? 0;
}
