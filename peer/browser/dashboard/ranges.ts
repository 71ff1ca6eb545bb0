/** The stretches of time that can be looked at. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export interface Range {
  /** What the address says. */
  readonly id: string;
  readonly label: string;
  /** As in "the last ...". */
  readonly name: string;
  /** Seconds, in all and of a point. */
  readonly span: number;
  readonly step: number;
}

export const RANGES: readonly [Range, ...Range[]] = [
  { id: "15min", label: "15 min", name: "15 minutes", span: 15 * MINUTE, step: 10 },
  { id: "1h", label: "1 h", name: "hour", span: HOUR, step: 10 },
  { id: "6h", label: "6 h", name: "6 hours", span: 6 * HOUR, step: MINUTE },
  { id: "24h", label: "24 h", name: "24 hours", span: DAY, step: 5 * MINUTE },
  { id: "7d", label: "7 d", name: "7 days", span: 7 * DAY, step: HOUR },
  { id: "30d", label: "30 d", name: "30 days", span: 30 * DAY, step: 2 * HOUR },
];

/** The range that an address ends with, or the shortest. */
export function rangeOf(hash: string): Range {
  return RANGES.find(({ id }) => hash === `#${id}`) ?? RANGES[0];
}

/** The part of a query that asks for a range, as of `now`, in seconds since 1970. */
export function between({ span }: Range, now: number): string {
  return `from=${Math.floor(now - span)}&to=${Math.ceil(now + 1)}`;
}
