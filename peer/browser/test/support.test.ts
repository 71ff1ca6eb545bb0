/** Whether peers are possible, and a word about it if not: one. */

import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function support(missing: Record<string, unknown>): Promise<[boolean, string[]]> {
  vi.resetModules();
  const said: string[] = [];
  vi.spyOn(console, "info").mockImplementation((text: string) => {
    said.push(text);
  });
  const browser = { crypto: { subtle: {} }, RTCPeerConnection: Object, WebSocket: Object };
  for (const [name, value] of Object.entries({ ...browser, ...missing })) {
    vi.stubGlobal(name, value);
  }
  const { supported } = await import("../src/support");
  supported();
  return [supported(), said];
}

describe("peers", () => {
  it("are possible where everything is there", async () => {
    expect(await support({})).toStrictEqual([true, []]);
  });

  it.each([
    ["crypto", undefined],
    ["crypto", {}],
    ["RTCPeerConnection", undefined],
    ["WebSocket", undefined],
  ])("are not possible with %s = %j, which is said once", async (name, value) => {
    const [possible, said] = await support({ [name]: value });
    expect(possible).toBe(false);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`no ${name}`);
  });
});
