// @ts-check
/** The stretches of time that can be looked at, and which of them is. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * @typedef {{
 *   span: number, step: number, name: string, tick: number, unit: number, short: string,
 * }} Range seconds in all, of a point, and between two marks below the chart; the unit of those
 */

/** @type {Record<string, Range>} */
const RANGES = {
  "15min": { span: 900, step: 10, name: "15 minutes", tick: 180, unit: MINUTE, short: "min" },
  "1h": { span: HOUR, step: 10, name: "hour", tick: 600, unit: MINUTE, short: "min" },
  "24h": { span: DAY, step: 5 * MINUTE, name: "24 hours", tick: 4 * HOUR, unit: HOUR, short: "h" },
  "7d": { span: 7 * DAY, step: HOUR, name: "7 days", tick: DAY, unit: DAY, short: "d" },
  "30d": { span: 30 * DAY, step: 2 * HOUR, name: "30 days", tick: 5 * DAY, unit: DAY, short: "d" },
};

const FIRST = /** @type {Range} */ (RANGES["15min"]);

/**
 * Follow what is chosen; the address remembers it.
 * @param {(range: Range) => void} choose is called at once, and whenever another is chosen
 */
export function followRange(choose) {
  const buttons = /** @type {NodeListOf<HTMLInputElement>} */ (
    document.querySelectorAll("input[name=range]")
  );
  const remembered = location.hash.slice(1);
  for (const button of buttons) {
    button.checked = button.value === (remembered in RANGES ? remembered : "15min");
    button.addEventListener("change", () => {
      history.replaceState(null, "", `#${button.value}`);
      choose(RANGES[button.value] ?? FIRST);
    });
  }
  choose(RANGES[remembered] ?? FIRST);
}
