/** Every scenario, step by step: the same that Python's core has to pass. */

import { describe, expect, it } from "vitest";

import preludes from "../../../../tests/vectors/preludes.json";
import { Player, difference, type Scenario, type Step } from "./scenario";

const FILES = import.meta.glob<Scenario>("../../../../tests/vectors/scenarios/*.json", {
  eager: true,
  import: "default",
});

const known: Record<string, { steps: readonly Step[] } | undefined> = preludes;

describe("scenarios", () => {
  it("are there", () => {
    expect(Object.keys(FILES)).not.toHaveLength(0);
  });

  it.each(Object.entries(FILES))("%s", (_, scenario) => {
    const player = new Player(scenario);
    for (const name of scenario.before ?? []) {
      for (const step of known[name]?.steps ?? []) player.step(step);
    }
    for (const [number, step] of scenario.steps.entries()) {
      const { sends, events } = player.step(step);
      const { at, note = at, sends: sent = [], events: happened = [], state = {} } = step;
      const wrong = difference(
        { sends: sent, events: happened, state },
        { sends, events, state: player.state() },
      );
      if (wrong !== undefined) throw new Error(`step ${number} (${note})${wrong}`);
    }
  });
});
