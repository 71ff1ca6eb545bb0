/** What has moved is told once, as far as there is room. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Account, MOST_NUMBERS, MOST_RENDITIONS, MOST_RUNS, Moved, Room } from "../../src/core/account";
import { CHUNK_SIZE } from "../../src/model";

const v = (sequence: number, chunk = 0, rendition = "v") => ({ rendition, sequence, chunk });

describe("what has moved", () => {
  it("is told as runs, and then forgotten", () => {
    const moved = new Moved();
    const room = new Room();
    for (const chunk of [3, 0, 1, 5]) moved.add(v(7, chunk), CHUNK_SIZE);
    moved.add(v(2, 0, "w"), 99);
    moved.add(v(3), CHUNK_SIZE);
    expect(moved.empty).toBe(false);
    expect(moved.take(room)).toStrictEqual([
      [0, 3, 0, 0, 0],
      [0, 7, 0, 0, 1, 3, 3, 5, 5],
      [1, 2, 99, 0, 0],
    ]);
    expect(room.renditions).toStrictEqual(["v", "w"]);
    expect(moved.empty).toBe(true);
  });

  it("may be a run", () => {
    const moved = new Moved();
    moved.addRun(v(0), [0, 3], 500);
    moved.addRun(v(0), [2, 1], 500);
    expect(moved.take(new Room())).toStrictEqual([[0, 0, 500, 0, 3]]);
  });

  it("waits where there is no room", () => {
    const moved = new Moved();
    const segments = MOST_NUMBERS / 5;
    for (let sequence = 0; sequence < segments + 3; sequence++) moved.add(v(sequence), CHUNK_SIZE);
    expect(moved.take(new Room())).toHaveLength(segments);
    expect(moved.take(new Room())).toHaveLength(3);
    for (let number = 0; number <= MOST_RENDITIONS; number++) moved.add(v(0, 0, `v${number}`), 1);
    expect(moved.take(new Room())).toHaveLength(MOST_RENDITIONS);
    expect(moved.take(new Room())).toStrictEqual([[0, 0, 1, 0, 0]]);
  });

  it("may be a ragged segment, whose rest waits as well", () => {
    const moved = new Moved();
    for (let chunk = 0; chunk < 2 * MOST_RUNS + 10; chunk += 2) {
      moved.add(v(0, chunk), chunk === 2 * MOST_RUNS + 8 ? 9 : CHUNK_SIZE);
    }
    expect(moved.take(new Room())[0]?.at(-1)).toBe(2 * MOST_RUNS - 2);
    expect(moved.take(new Room())[0]).toMatchObject({ 2: 9, 3: 2 * MOST_RUNS });
    expect(moved.empty).toBe(true);
  });

  it("is all told, in ascending order", () => {
    const keys = fc.record({
      rendition: fc.constantFrom("v", "w", "x"),
      sequence: fc.nat(3),
      chunk: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(keys), (all) => {
        const moved = new Moved();
        const room = new Room();
        for (const key of all) moved.add(key, CHUNK_SIZE);
        const runs = moved.take(room);
        const found = new Set<string>();
        for (const [rendition = 0, sequence, , ...bounds] of runs) {
          for (let at = 0; at < bounds.length; at += 2) {
            const [first = 0, last = 0] = bounds.slice(at);
            for (let chunk = first; chunk <= last; chunk++) {
              found.add(`${room.renditions[rendition] ?? ""} ${sequence ?? ""} ${chunk}`);
            }
          }
        }
        const meant = all.map((key) => `${key.rendition} ${key.sequence} ${key.chunk}`);
        expect(found).toStrictEqual(new Set(meant));
        const order = runs.map(([rendition = 0, sequence = 0]) => 10 * rendition + sequence);
        expect(order).toStrictEqual([...order].sort((a, b) => a - b));
      }),
    );
  });
});

describe("an account", () => {
  it("is empty until something happens", () => {
    const account = new Account("relay");
    expect(account.empty).toBe(true);
    account.sent.add(v(0), 1);
    expect(account.empty).toBe(false);
    account.sent.take(new Room());
    account.waste = 1;
    expect(account.empty).toBe(false);
  });
});
