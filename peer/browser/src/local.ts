/**
 * The native peer on the viewer's own machine: how a page finds it, and hands its demands over.
 *
 *     pair(code)   the code says at which port it listens; for it the page gets a secret, once
 *     detect()     whether the one that was paired is there
 *     forget()     the page forgets the peer, and the peer the page
 *
 * It comes as a chunk of its own, when one of these is called. A page that was not paired asks
 * nobody for anything; and a browser that would ask its viewer is not made to without a click.
 */

import type { Handover } from "./handover";
import type { SegmentKey } from "./model";
import type { Asker } from "./runner";
import type { TokenRequest, TokenSource } from "./tokens";

/** Where the address is remembered, which is as good as a key. */
const PLACE = "p2pcdn.local";

/** Crockford's base 32. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const WRITTEN = /^[0-9A-HJKMNP-TV-Z]{12}$/;

/** Milliseconds that it may take to say that it is there: it is on this machine. */
const PATIENCE = 3_000;

/** Milliseconds until the peer gets another token; the longest last five minutes. */
const RENEW = 60_000;

/** So many demands in a row that came to nothing, and the page goes on by itself. */
const MOST_FAILURES = 3;

/** What browsers call a page's way to this machine; the newer name first. */
const PERMISSIONS = ["loopback-network", "local-network-access"];

/** What of the page is needed here. */
interface Page {
  handOver(to?: Handover): void;
}

/** Whether the peer that was paired is there; if so, the page's players take what it brings. */
export async function detect(page: Page): Promise<boolean> {
  const base = remembered();
  if (base === null || !(await mayAsk())) return false;
  const answer = await ask(`${base}api/v1/`);
  if (!answer?.ok) return false;
  handOver(page, base);
  return true;
}

/** Pairs this page with the peer that shows this code; whether there is one. */
export async function pair(page: Page, code: string): Promise<boolean> {
  const clean = normalised(code);
  // Typed codes come from a click, or from a dialog that has outlasted one.
  const { userActivation } = navigator as Partial<Navigator>;
  if (clean === undefined || userActivation?.hasBeenActive === false) return false;
  const place = `http://127.0.0.1:${portOf(clean)}/`;
  const answer = await ask(`${place}${clean}/pair`, "POST", 60_000);
  const { base } = ((await json(answer)) ?? {}) as { base?: unknown };
  if (typeof base !== "string" || !base.startsWith(place)) return false;
  remember(base);
  handOver(page, base);
  return true;
}

/** Ends it; whether there was anything to end. */
export async function forget(page: Page): Promise<boolean> {
  const base = remembered();
  remember(null);
  page.handOver();
  if (base !== null && (await mayAsk())) await ask(`${base}api/v1/pages`, "DELETE");
  return base !== null;
}

function handOver(page: Page, base: string): void {
  const peer = new LocalPeer(base, () => {
    page.handOver();
  });
  page.handOver(peer);
}

/** A frame may have no storage; there, what is paired lasts as long as the page. */
function remember(base: string | null): void {
  try {
    if (base === null) localStorage.removeItem(PLACE);
    else localStorage.setItem(PLACE, base);
  } catch {
    // So be it.
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}

/** The code without what people put in between, and with what they take for one another. */
export function normalised(code: string): string | undefined {
  const letters = code.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  return WRITTEN.test(letters) ? letters : undefined;
}

/** The first 16 of its 60 bits. */
export function portOf(code: string): number {
  let head = 0;
  for (const letter of code.slice(0, 4)) head = head * 32 + ALPHABET.indexOf(letter);
  return head >> 4;
}

/** Whether a request to this machine asks the viewer nothing, or he has just clicked. */
async function mayAsk(): Promise<boolean> {
  if (["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) return true;
  for (const name of PERMISSIONS) {
    try {
      const { state } = await navigator.permissions.query({ name: name as PermissionName });
      if (state !== "prompt") return state === "granted";
      return navigator.userActivation.isActive;
    } catch {
      // This browser does not know that name.
    }
  }
  return true;
}

async function ask(
  url: string,
  method = "GET",
  patience = PATIENCE,
): Promise<Response | undefined> {
  try {
    return await fetch(url, { method, cache: "no-store", signal: AbortSignal.timeout(patience) });
  } catch {
    return undefined;
  }
}

/** What an answer says; whoever listens at that port may say anything. */
async function json(answer: Response | undefined): Promise<unknown> {
  try {
    return await answer?.json();
  } catch {
    return undefined;
  }
}

class LocalPeer implements Handover {
  private readonly _contents = new Map<string, Promise<string>>();
  /** When each was last told of, for those that want tokens. */
  private readonly _told = new Map<string, number>();
  private readonly _open = new Map<Asker, AbortController>();
  private _failures = 0;

  constructor(
    private readonly _base: string,
    private readonly _lost: () => void,
  ) {}

  demand(
    url: string,
    key: SegmentKey,
    within: number,
    asker: Asker,
    token?: TokenSource,
  ): void {
    const control = new AbortController();
    this._open.set(asker, control);
    void this._fetch(url, key, within, asker, token, control.signal);
  }

  release(asker: Asker): void {
    this._open.get(asker)?.abort();
    this._open.delete(asker);
  }

  private async _fetch(
    url: string,
    { rendition, sequence }: SegmentKey,
    within: number,
    asker: Asker,
    token: TokenSource | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const content = this._content(url, token);
      const id = await content;
      const path = rendition.split("/").map(encodeURIComponent).join("/");
      // The player judges by what it took, as of a server.
      asker.progress(0);
      asker.progress(1);
      const get = async (of: string): Promise<Response> =>
        fetch(`${this._base}segment/${of}/${sequence}/${path}?within=${within.toFixed(3)}`, {
          cache: "no-store",
          signal,
        });
      let answer = await get(id);
      if (answer.status === 404 || (answer.status === 502 && typeof token === "function")) {
        // It was restarted, had to make room, or its token is over: it hears of the content once
        // more.
        if (this._contents.get(url) === content) this._contents.delete(url);
        answer = await get(await this._content(url, token));
      }
      if (!answer.ok) throw new Error(`${answer.status}`);
      const data = new Uint8Array(await answer.arrayBuffer());
      asker.progress(data.length - 1);
      this._failures = 0;
      asker.ready(data);
    } catch {
      if (signal.aborted) return;
      asker.failed("closed");
      if (++this._failures === MOST_FAILURES) this._lost();
    } finally {
      this._open.delete(asker);
    }
  }

  /** What the peer calls the content whose playlist is at `url`. */
  private _content(url: string, token: TokenSource | undefined): Promise<string> {
    let content = this._contents.get(url);
    if (content && typeof token === "function" && Date.now() >= (this._told.get(url) ?? 0) + RENEW) {
      void this._add(url, token).catch(() => undefined);
    }
    if (!content) {
      content = this._add(url, token);
      this._contents.set(url, content);
      content.catch(() => this._contents.delete(url));
    }
    return content;
  }

  private async _add(url: string, source: TokenSource | undefined): Promise<string> {
    this._told.set(url, Date.now());
    const token = typeof source === "function" ? await this._token(url, source) : source;
    const answer = await fetch(`${this._base}api/v1/contents`, {
      method: "POST",
      body: JSON.stringify({ url, token }),
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const { id } = (await answer.json()) as { id: string };
    return id;
  }

  /** A token for the native peer, which has a key of its own; without one it plays all the same. */
  private async _token(
    url: string,
    source: Exclude<TokenSource, string>,
  ): Promise<string | undefined> {
    try {
      const answer = await fetch(`${this._base}api/v1/token?url=${encodeURIComponent(url)}`, {
        cache: "no-store",
      });
      if (!answer.ok) return undefined;
      return (await source((await answer.json()) as TokenRequest)).trim();
    } catch {
      return undefined;
    }
  }
}
