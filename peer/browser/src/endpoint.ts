/**
 * Where things are: an end point serves media, manifests, the tracker and the snippet itself.
 *
 *     <base>media/<rendition id>      a playlist, and its segments beside it
 *     <base>manifest/<rendition id>   what the segments must hash to
 *     <base>manifest/?url=<playlist>  the same of media that stay elsewhere; only the end point can
 *                                     tell their rendition ids, since URLs carry tokens
 *     <base>tracker/v1                the tracker's socket, unless it lives elsewhere
 *     <base>tracker/v1/report         where a page that goes reports, at the same node
 */

import { PROTOCOL, forgetOldest } from "./model";

/** Of playlists elsewhere: one that is live may have a new one each time. */
const MOST_URLS = 256;

export class Endpoint {
  /** Of media elsewhere: rendition ids by the addresses of their playlists. */
  private readonly _elsewhere = new Map<string, string>();
  /** And the last address of each, whose token is the newest. */
  private readonly _addresses = new Map<string, string>();

  private constructor(
    /** Ends with a slash. */
    readonly base: URL,
    readonly tracker: URL,
  ) {}

  /** The end point whose snippet is at `script`; `tracker` is any address of another tracker. */
  static of(script: string, tracker?: string): Endpoint {
    const base = new URL(".", script);
    return new Endpoint(base, trackerSocket(new URL(tracker ?? base, base)));
  }

  /** The end point that serves `media`, if its address looks like one. */
  static ofMedia(media: string, tracker?: string): Endpoint | undefined {
    const at = media.indexOf("/media/");
    return at < 0 ? undefined : Endpoint.of(media.slice(0, at + 1), tracker);
  }

  /** The rendition whose playlist is at `url`, if it is media of this end point, or known to it. */
  rendition(url: string): string | undefined {
    const media = new URL("media/", this.base);
    const playlist = new URL(url, this.base);
    if (playlist.origin !== media.origin || !playlist.pathname.startsWith(media.pathname)) {
      return this._known(playlist.href);
    }
    return decodePath(playlist.pathname.slice(media.pathname.length));
  }

  /** Whether there are media elsewhere. */
  get far(): boolean {
    return this._addresses.size > 0;
  }

  /** The end point has said which rendition the playlist at `url` is. */
  learn(url: string, rendition: string): void {
    forgetOldest(this._elsewhere.set(url, rendition), MOST_URLS);
    this._addresses.set(rendition, url);
  }

  /** Where to ask about the playlist at `url`, whose presentation is at `top`. */
  seek(url: string, top: string, sequence: number): URL {
    const asked = this._about(url, "at", `${sequence}`);
    asked.searchParams.set("presentation", top);
    return asked;
  }

  /** A rendition's playlist, beside which its segments are; none if just its viewer gets there. */
  media(rendition: string): URL | undefined {
    if (this._addresses.has(rendition)) return undefined;
    return new URL(`media/${encodePath(rendition)}`, this.base);
  }

  /** The page of a rendition's manifest that holds a segment. */
  manifest(rendition: string, sequence: number): URL {
    return this._manifestWith(rendition, "at", `${sequence}`);
  }

  /** The page of just some segments. */
  records(rendition: string, first: number, last: number): URL {
    return this._manifestWith(rendition, "records", `${first}-${last}`);
  }

  /** The chunk hashes of some segments. */
  hashes(rendition: string, first: number, last: number): URL {
    return this._manifestWith(rendition, "hashes", `${first}-${last}`);
  }

  private _known(url: string): string | undefined {
    const known = this._elsewhere.get(url);
    if (known !== undefined) return known;
    const bare = withoutQuery(url);
    for (const [rendition, address] of this._addresses) {
      // Where the query says what is wanted, it is in the id; else it is but another token.
      if (withoutQuery(address) !== bare || rendition.includes(";")) continue;
      this.learn(url, rendition);
      return rendition;
    }
    return undefined;
  }

  private _manifestWith(rendition: string, name: string, value: string): URL {
    const address = this._addresses.get(rendition);
    if (address !== undefined) return this._about(address, name, value);
    const url = new URL(`manifest/${encodePath(rendition)}`, this.base);
    url.searchParams.set(name, value);
    return url;
  }

  private _about(address: string, name: string, value: string): URL {
    const url = new URL("manifest/", this.base);
    url.search = `${new URLSearchParams([["url", address], [name, value]])}`;
    return url;
  }
}

/** Where a page's last report goes without the tracker's socket, whose address may end with the
 * content's id. */
export function reportOf(socket: string): string {
  return socket.replace(/^ws/, "http").replace(/(\/[0-9a-f]{32})?$/, "/report");
}

/** Takes a socket's address as it is, and finds the socket of a server's address. */
function trackerSocket(address: URL): URL {
  if (address.protocol === "ws:" || address.protocol === "wss:") return address;
  const socket = new URL(`tracker/v${PROTOCOL}`, new URL(".", address));
  socket.protocol = address.protocol === "http:" ? "ws:" : "wss:";
  return socket;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*/, "");
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Nothing for a path that could not be told from another one once it is decoded. */
function decodePath(path: string): string | undefined {
  try {
    const parts = path.split("/").map(decodeURIComponent);
    return parts.some((part) => part === "" || part.includes("/")) ? undefined : parts.join("/");
  } catch {
    return undefined;
  }
}
