/** How well a media element plays, by what it tells. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Watch } from "../src/watch";

class FakeMedia extends EventTarget {
  seeking = false;
  paused = true;
  ended = false;
  readyState = 0;
}

const started = vi.fn();
let media: FakeMedia;
let watch: Watch;

beforeEach(() => {
  vi.useFakeTimers();
  started.mockClear();
  media = new FakeMedia();
  watch = new Watch(started);
  watch.on(media as unknown as HTMLMediaElement);
});

afterEach(() => {
  vi.useRealTimers();
});

/** What happens, each time followed by so many milliseconds. */
function tell(...events: readonly (readonly [type: string, after: number])[]): void {
  for (const [type, after] of events) {
    media.dispatchEvent(new Event(type));
    vi.advanceTimersByTime(after);
  }
}

describe("playback", () => {
  it("begins with the first picture", () => {
    expect(watch.figures()).toMatchObject({ startup: undefined });
    tell(["loadeddata", 0], ["loadeddata", 0]);
    expect(started).toHaveBeenCalledTimes(2);
    watch.started(812.5);
    watch.started(9_000);
    expect(watch.figures()).toMatchObject({ startup: 812.5 });
  });

  it("that began after more than a day is told as a day", () => {
    watch.started(86_400_001);
    expect(watch.figures()).toMatchObject({ startup: 86_400_000 });
  });

  it("takes its time", () => {
    vi.advanceTimersByTime(500);
    tell(["playing", 3_000]);
    expect(watch.figures()).toMatchObject({ played: 3_000, stalls: 0, stalled: 0 });
    vi.advanceTimersByTime(1_000);
    expect(watch.figures()).toMatchObject({ played: 4_000 });
  });

  it.each([
    ["plays", { paused: false, readyState: 3 }, 1_000],
    ["is paused", { paused: true, readyState: 4 }, 0],
    ["has ended", { paused: false, ended: true, readyState: 4 }, 0],
    ["waits", { paused: false, readyState: 2 }, 0],
  ])("is looked at from then on of an element that %s already", (_, state, played) => {
    watch.on(Object.assign(media, state) as unknown as HTMLMediaElement);
    vi.advanceTimersByTime(1_000);
    expect(watch.figures()).toMatchObject({ startup: undefined, played, stalls: 0, stalled: 0 });
    tell(["playing", 500]);
    expect(watch.figures()).toMatchObject({ played: played + 500 });
  });

  it("stalls, and goes on", () => {
    tell(["playing", 1_000], ["waiting", 300], ["waiting", 200], ["playing", 2_000]);
    expect(watch.figures()).toMatchObject({ played: 3_000, stalls: 1, stalled: 500 });
    tell(["waiting", 100]);
    expect(watch.figures()).toMatchObject({ stalls: 2, stalled: 600 });
  });

  it.each(["pause", "ended", "emptied", "seeking"])("rests: %s", (event) => {
    tell(["playing", 1_000], [event, 5_000]);
    expect(watch.figures()).toMatchObject({ played: 1_000, stalls: 0, stalled: 0 });
    tell(["playing", 1_000], ["waiting", 100], [event, 5_000]);
    expect(watch.figures()).toMatchObject({ played: 2_000, stalls: 1, stalled: 100 });
  });
});

describe("what is no stall", () => {
  it("is to wait for the first picture", () => {
    tell(["waiting", 2_000], ["playing", 0]);
    expect(watch.figures()).toMatchObject({ stalls: 0, stalled: 0 });
  });

  it("is to wait for where the viewer has sought to", () => {
    tell(["playing", 1_000]);
    media.seeking = true;
    tell(["waiting", 300], ["seeking", 500], ["waiting", 500]);
    expect(watch.figures()).toMatchObject({ played: 1_300, stalls: 0, stalled: 0 });
  });
});

it("begins anew with something else to play", () => {
  tell(["playing", 1_000], ["waiting", 100]);
  watch.started(812.5);
  watch.reset();
  vi.advanceTimersByTime(1_000);
  expect(watch.figures()).toStrictEqual({ startup: undefined, played: 0, stalls: 0, stalled: 0 });
  tell(["playing", 500]);
  watch.started(400);
  expect(watch.figures()).toMatchObject({ startup: 400, played: 500, stalls: 0 });
});

it("looks at no element but the last one", () => {
  tell(["playing", 1_000]);
  watch.on(undefined);
  tell(["waiting", 1_000], ["playing", 1_000], ["loadeddata", 0]);
  expect(watch.figures()).toMatchObject({ played: 1_000, stalls: 0 });
  expect(started).not.toHaveBeenCalled();
});
