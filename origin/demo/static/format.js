// @ts-check
/** Figures as people read them. */

/**
 * @param {number} bytes
 * @returns {string} with a decimal unit: 999 B, 1.4 kB, 21 MB
 */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** @param {number} bytes a second's */
export function rate(bytes) {
  return `${size(bytes)}/s`;
}

/** @param {number | null} milliseconds null if it has not happened yet */
export function duration(milliseconds) {
  if (milliseconds === null) return "–";
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** @param {number} share 0 to 1 */
export function percent(share) {
  // 100 % only where it is all.
  return `${share < 1 ? Math.min(99, Math.round(share * 100)) : 100} %`;
}

/**
 * Puts text into an element of the page, and leaves alone what says it already.
 * @param {string} id
 * @param {string} text
 */
export function show(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}
