/**
 * What the page knows, and how it comes to know it: what happens now from one stream of server-sent
 * events, what was before from the ledger, asked for again and again.
 */

import type {
  ContentShare,
  Failure,
  NetworkShare,
  Sample,
  Series,
  Summary,
  Total,
} from "./figures";
import { History } from "./history";
import { between, rangeOf } from "./ranges";
import type { Range } from "./ranges";

const API = "/api/v1/";

/** Milliseconds without an event after which the figures are called old; one comes each second. */
const PATIENCE = 5_000;

/** Milliseconds until the range is asked for again: what is too old leaves it. */
const AGAIN = 15_000;

/** Whether the figures move: not yet, as they should, no longer, or not for this browser. */
export type State = "waiting" | "live" | "quiet" | "lost" | "refused";

/** One event of the stream. */
interface Event {
  summary: Summary;
  series: Sample[];
  nodes: number;
  site: string;
  price: Price | null;
}

/** What a gigabyte that the origin does not send would have cost. */
export interface Price {
  per_gb: number;
  currency: string;
}

export class Board {
  state: State = "waiting";
  range: Range;
  summary: Summary | undefined;
  /** How many trackers act as one; the figures are of the one that is asked. */
  nodes = 1;
  site = "";
  price: Price | null = null;
  readonly history = new History();
  quality: Total | undefined;
  contents: readonly ContentShare[] = [];
  networks: readonly NetworkShare[] = [];
  failures: readonly Failure[] = [];

  private overdue: Timer | undefined;
  private again: Timer | undefined;
  /** How many seconds the server's clock is ahead of the browser's. */
  private ahead = 0;

  /** `changed` is called whenever there is something else to show. */
  constructor(
    hash: string,
    private readonly changed: () => void,
  ) {
    this.range = rangeOf(hash);
  }

  /** Look at another range. */
  choose(range: Range): void {
    this.range = range;
    this.history.clear();
    void this.load();
    this.changed();
  }

  /** The address of an answer about the range, for programs and spreadsheets. */
  url(path: string, format?: "csv" | "json"): string {
    const now = Date.now() / 1000 + this.ahead;
    const step = path === "series" ? `&step=${this.range.step}` : "";
    return `${API}${path}?${between(this.range, now)}${step}${format ? `&format=${format}` : ""}`;
  }

  /** Begin, and never end. */
  follow(): void {
    const stream = new EventSource(`${API}stream`);
    let first = true;
    stream.addEventListener("open", () => {
      this.history.restart();
      first = true;
    });
    stream.addEventListener("message", ({ data }: MessageEvent<string>) => {
      this.take(JSON.parse(data) as Event);
      if (first) void this.load(); // whoever answers now may be another process than before
      first = false;
    });
    stream.addEventListener("error", () => {
      clearTimeout(this.overdue);
      if (this.state !== "refused") this.become("lost");
      // The browser tries again by itself, unless it was given an answer that is no stream.
      if (stream.readyState !== EventSource.CLOSED) return;
      void this.askWhy();
      setTimeout(() => { this.follow(); }, PATIENCE);
    });
  }

  private take({ summary, series, nodes, site, price }: Event): void {
    this.summary = summary;
    this.nodes = nodes;
    this.site = site;
    this.price = price;
    this.history.add(series);
    const newest = series.at(-1)?.at;
    if (newest !== undefined) this.ahead = newest - Date.now() / 1000;
    clearTimeout(this.overdue);
    this.overdue = setTimeout(() => { this.become("quiet"); }, PATIENCE);
    this.become("live");
  }

  private become(state: State): void {
    this.state = state;
    this.changed();
  }

  private async askWhy(): Promise<void> {
    const answer = await ask(`${API}summary`);
    if (answer?.status === 401) this.become("refused");
  }

  /** Ask for what was written of the range. */
  private async load(): Promise<void> {
    clearTimeout(this.again);
    const asked = this.range;
    const [series, contents, networks, failures] = await Promise.all([
      json<Series>(this.url("series")),
      json<{ contents: ContentShare[] }>(this.url("contents")),
      json<{ networks: NetworkShare[] }>(this.url("networks")),
      json<{ failures: Failure[] }>(this.url("failures")),
    ]);
    if (asked !== this.range) return;
    if (series) this.history.load(series);
    else this.history.doWithout();
    this.quality = series?.total;
    this.contents = contents?.contents ?? [];
    this.networks = networks?.networks ?? [];
    this.failures = failures?.failures ?? [];
    this.changed();
    clearTimeout(this.again);
    this.again = setTimeout(() => void this.load(), series ? AGAIN : PATIENCE);
  }
}

type Timer = ReturnType<typeof setTimeout>;

/** An answer; undefined if there is none, of which the stream tells. */
async function ask(url: string): Promise<Response | undefined> {
  return fetch(url, { cache: "no-store" }).catch(() => undefined);
}

async function json<T>(url: string): Promise<T | undefined> {
  const answer = await ask(url);
  if (!answer?.ok) return undefined;
  return (await answer.json().catch(() => undefined)) as T | undefined;
}
