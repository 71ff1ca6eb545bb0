/** Figures as people read them. */

/** For what is not known. */
export const NOTHING = "–";

/** Bytes with a decimal unit: 999 B, 1.4 kB, 21 MB. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.5 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

/** Bytes a second. */
export function rate(bytes: number): string {
  return `${size(bytes)}/s`;
}

/** A share, 0 to 1; 100 % only where it is all. */
export function percent(share: number): string {
  return share < 1 ? `${Math.min(99.9, share * 100).toFixed(1)} %` : "100 %";
}

/** Seconds: 85 ms, 1.24 s, 12.5 s, 3 min, 27 h. */
export function duration(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  return seconds < 5970 ? `${Math.round(seconds / 60)} min` : `${count(Math.round(seconds / 3600))} h`;
}

/** A number of things, its thousands apart. */
export function count(things: number): string {
  return things.toLocaleString("en-GB", { maximumFractionDigits: 1 });
}

/** An amount in a currency, by its ISO 4217 code. */
export function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat("en-GB", { style: "currency", currency });
  const most = format.resolvedOptions().maximumFractionDigits ?? 2;
  const digits = amount !== 0 && amount < 99.995 ? most : 0;
  return amount.toLocaleString("en-GB", {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** What one of many costs: parts of the currency's smallest coin count. */
export function unitPrice(amount: number, currency: string): string {
  return amount.toLocaleString("en-GB", { style: "currency", currency, maximumFractionDigits: 4 });
}

/** The day of a time in seconds since 1970, as the browser's language has it. */
export function day(time: number): string {
  return new Date(time * 1000).toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** A time in seconds since 1970, as far as it matters where points are `step` seconds long. */
export function moment(time: number, step: number): string {
  const clock = { hour: "2-digit", minute: "2-digit" } as const;
  if (step < 60) return local(time, { ...clock, second: "2-digit" });
  return local(time, step < 3600 ? clock : { day: "numeric", month: "short", ...clock });
}

function local(time: number, options: Intl.DateTimeFormatOptions): string {
  return new Date(time * 1000).toLocaleString("en-GB", options);
}
