// @ts-check
/** Figures as people read them, and where they stand on the page. */

/**
 * @param {number} bytes
 * @returns {string} with a decimal unit: 999 B, 1.4 kB, 21 MB
 */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.5 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** @param {number} share 0 to 1; 100 % only where it is all */
export function percent(share) {
  return share < 1 ? `${Math.min(99.9, share * 100).toFixed(1)} %` : "100 %";
}

/** @param {number} time in seconds since 1970; the day, as the browser's language has it */
export function day(time) {
  return new Date(time * 1000).toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * @param {string} id
 * @param {string} text
 */
export function show(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
