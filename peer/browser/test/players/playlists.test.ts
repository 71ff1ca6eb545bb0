/**
 * What hls.js makes of playlists is what the origin's manifests have to agree with: the same segment
 * has the same number, file and bytes (`tests/p2pcdn/presentations/test_hls.py`).
 */

import { type LevelDetails, M3U8Parser } from "hls.js";
import { describe, expect, it, vi } from "vitest";

import cases from "../../../../tests/vectors/playlists.json";

interface Wanted {
  readonly sequence: number;
  readonly url: string;
  readonly offset?: number;
  readonly length?: number;
  readonly gap?: boolean;
}

const PLAYLIST = "http://origin.example/media/show/video.m3u8";

function read(lines: readonly string[], query: string, variables: object): LevelDetails {
  const [id, type] = [0, "main" as never];
  const parse = M3U8Parser.parseLevelPlaylist.bind(M3U8Parser) as (
    ...args: unknown[]
  ) => LevelDetails;
  return parse(`${lines.join("\n")}\n`, PLAYLIST + query, id, type, 0, variables);
}

vi.stubGlobal("self", globalThis);

describe("hls.js numbers segments as the origin does", () => {
  it.each(cases)("$name", ({ lines, segments, first, live, query = "", variables = {} }) => {
    const details = read(lines, query, variables);
    const found = details.fragments.map(({ sn: sequence, url, byteRange, gap }) => {
      const [offset, end] = byteRange as number[];
      return {
        sequence,
        url: new URL(url).href,
        ...(offset !== undefined && end !== undefined ? { offset, length: end - offset } : {}),
        ...(gap ? { gap } : {}),
      };
    });
    const wanted = segments.map(({ sequence, url, offset, length, gap }: Wanted) => ({
      sequence,
      url,
      ...(offset !== undefined ? { offset, length } : {}),
      ...(gap ? { gap } : {}),
    }));
    expect(found).toEqual(wanted);
    expect([details.startSN, details.live]).toEqual([first, live]);
  });
});
