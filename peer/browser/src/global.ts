/**
 * The script tag: finds the players of the page, and is the one global, `window.p2pcdn`.
 *
 *     <script defer src="https://ORIGIN/p2pcdn.js" data-site="pk_demo"></script>
 *
 * Tag managers strip attributes; for them a queue may stand there before us. Each of its entries is
 * an object of options, or a call: the name of a function and its arguments.
 *
 *     window.p2pcdn = { q: [{ site: "pk_demo" }, ["configure", { upload: false }]] };
 */

import type * as Module from "./index";
import type * as Local from "./local";
import { optionsOf, type Options } from "./options";
import { Page } from "./page";
import { findHls } from "./players/find-hls";
import type { Hls } from "./players/hls-types";
import { sayOnce } from "./say";
import { thumbprint } from "./tokens";
import { version } from "./version";

type Entry = Options | [name: string, ...rest: unknown[]];

interface Global {
  readonly version?: string;
  readonly q?: readonly Entry[];
}

const holder = globalThis as { p2pcdn?: Global };

function start(script: HTMLOrSVGScriptElement | null): void {
  const queue = holder.p2pcdn?.q ?? [];
  const page = new Page(optionsOf(script));
  const api = {
    version,
    getStats: page.getStats.bind(page),
    configure: page.configure.bind(page),
    consent: page.consent.bind(page),
    thumbprint,
    attach: (hls: Hls, options?: Options) => page.attach(hls, options),
    /** The native peer on this machine. */
    local: {
      detect: () => local(page, "detect"),
      pair: (code: string) => local(page, "pair", code),
      forget: () => local(page, "forget"),
    },
    q: { push: take },
  };
  function take(entry: Entry): void {
    if (!Array.isArray(entry)) {
      Object.assign(page.options, entry);
      return;
    }
    const [name, ...rest] = entry;
    const call = (api as Record<string, unknown>)[name];
    if (typeof call === "function") (call as (...all: unknown[]) => void)(...rest);
  }
  holder.p2pcdn = api as unknown as Global;
  for (const entry of queue) take(entry);
  if (page.options.debug) void showOverlay(page);
  findHls((hls) => {
    page.found(hls);
  });
}

/** What few pages need comes when it is needed, from where we came from. */
function load(page: Page, file: string): Promise<unknown> {
  return import(/* @vite-ignore */ new URL(file, page.options.endpoint).href);
}

async function local(page: Page, name: "detect" | "pair" | "forget", code = ""): Promise<boolean> {
  try {
    const module = (await load(page, "p2pcdn-local.mjs")) as typeof Local;
    const act = module[name] as (page: Page, code: string) => Promise<boolean>;
    return await act(page, code);
  } catch {
    return false;
  }
}

/** For those few who look, it comes with the module. */
async function showOverlay(page: Page): Promise<void> {
  try {
    const module = (await load(page, "p2pcdn.mjs")) as typeof Module;
    module.showOverlay(() => page.getStats());
  } catch {
    sayOnce("the overlay could not be loaded.");
  }
}

// A page that includes us twice has us once.
if (!holder.p2pcdn?.version) {
  try {
    start(document.currentScript);
  } catch {
    // Ours; the page has nothing to do with it and plays on.
  }
}
