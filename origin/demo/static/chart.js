// @ts-check
/** Bytes per second over the last minute: a bar each second, its parts stacked by source. */

import { rate } from "./format.js";

/** Seconds that are shown. */
export const SPAN = 60;

/**
 * The scale has room for the highest of so many seconds. A window that opens takes all that its
 * peers have, at once; beside that what follows would hardly be seen.
 */
const SCALED_BY = 15;

/** From the bottom up; the names are those of the colours in the style sheet. */
const SERIES = /** @type {const} */ (["peers", "origin", "cache"]);

/** @typedef {Record<typeof SERIES[number], number>} Second bytes by source */

export class Chart {
  /** @type {Second[]} */
  #seconds = [];
  /** @type {HTMLCanvasElement} */
  #canvas;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** @param {Second} second the newest */
  push(second) {
    this.#seconds.push(second);
    this.#seconds.splice(0, this.#seconds.length - SPAN);
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    if (!context || !width) return;
    const ratio = devicePixelRatio;
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.#canvas);
    const top = niceTop(Math.max(0, ...this.#seconds.slice(-SCALED_BY).map(total)));
    const area = { width, top: 16, height: height - 34 };
    drawGrid(context, style, area, top);
    this.#seconds.forEach((second, index) => {
      const x = width - ((this.#seconds.length - index) * width) / SPAN;
      drawBar(context, style, area, x, second, top);
    });
  }
}

/** @param {Second} second */
function total(second) {
  return SERIES.reduce((sum, name) => sum + second[name], 0);
}

/**
 * The least of 1, 2 and 5 times a power of ten that has room for the highest bar.
 * @param {number} highest
 */
function niceTop(highest) {
  const least = Math.max(highest, 100_000);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= least) ?? least;
}

/**
 * @typedef {{ width: number, top: number, height: number }} Area
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} style
 * @param {Area} area
 * @param {number} top
 */
function drawGrid(context, style, area, top) {
  const bottom = area.top + area.height;
  context.strokeStyle = style.getPropertyValue("--line");
  context.fillStyle = style.getPropertyValue("--muted");
  context.font = `11px ${style.fontFamily}`;
  for (const share of [0, 0.5, 1]) {
    const y = Math.round(bottom - share * area.height) + 0.5;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(area.width, y);
    context.stroke();
    if (share > 0) context.fillText(rate(top * share).replace(".0 ", " "), 0, y - 4);
  }
  context.textBaseline = "bottom";
  context.fillText("a minute ago", 0, bottom + 18);
  context.textAlign = "right";
  context.fillText("now", area.width, bottom + 18);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} style
 * @param {Area} area
 * @param {number} x
 * @param {Second} second
 * @param {number} top
 */
function drawBar(context, style, area, x, second, top) {
  const bottom = area.top + area.height;
  let below = 0;
  for (const name of SERIES) {
    const from = Math.min(1, below / top);
    below += second[name];
    const to = Math.min(1, below / top);
    context.fillStyle = style.getPropertyValue(`--${name}`);
    context.fillRect(x, bottom - to * area.height, area.width / SPAN - 1, (to - from) * area.height);
  }
}
