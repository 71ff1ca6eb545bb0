// @ts-check
/** Bytes of origin and peers, stacked over time, and the line of the offload so far. */

import { size } from "./format.js";

/** The least that the scale goes up to, so that a trickle doesn't look like a flood. */
const LEAST = 100_000;

/** Pixels that a mark below the chart takes, with some room. */
const LABEL = 68;

/** @typedef {import("./history.js").Point} Point */
/** @typedef {import("./ranges.js").Range} Range */

export class Chart {
  /** @type {Point[]} */
  #points = [];
  /** @type {Range | undefined} */
  #range;
  #canvas;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /**
   * @param {Point[]} points
   * @param {Range} range
   */
  show(points, range) {
    this.#points = points.filter(({ age }) => age <= range.span);
    this.#range = range;
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    if (!context || width === 0 || !this.#range) return;
    this.#canvas.width = width * devicePixelRatio;
    this.#canvas.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const top = niceTop(Math.max(LEAST, ...this.#points.map(({ origin, peers }) => origin + peers)));
    const style = getComputedStyle(this.#canvas);
    new Drawing(context, style, width, height, top, this.#range).all(this.#points);
    this.#describe(this.#range);
  }

  /**
   * Say in words what the picture shows.
   * @param {Range} range
   */
  #describe({ name }) {
    const most = Math.max(0, ...this.#points.map(({ origin, peers }) => origin + peers));
    const text = `Media per second over the last ${name}, ${size(most)} at the most`;
    if (this.#canvas.ariaLabel !== text) this.#canvas.ariaLabel = text;
  }
}

/**
 * The least of 1, 2 and 5 times a power of ten that has room for the highest point.
 * @param {number} highest
 */
function niceTop(highest) {
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5].map((step) => step * power).find((top) => top >= highest) ?? 10 * power;
}

/** One drawing of the chart. */
class Drawing {
  /** Room for the labels above, below and at the right. */
  static MARGIN = { top: 18, bottom: 22, right: 40 };

  #context;
  #style;
  #width;
  #bottom;
  #top;
  #range;

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {CSSStyleDeclaration} style
   * @param {number} width
   * @param {number} height
   * @param {number} top bytes a second at the top of the scale
   * @param {Range} range
   */
  constructor(context, style, width, height, top, range) {
    this.#context = context;
    this.#style = style;
    this.#width = width - Drawing.MARGIN.right;
    this.#bottom = height - Drawing.MARGIN.bottom;
    this.#top = top;
    this.#range = range;
    context.font = `12px ${style.fontFamily}`;
  }

  /** @param {Point[]} points */
  all(points) {
    this.#grid();
    this.#times();
    if (points.length < 2) return;
    this.#area(points, "origin", ({ origin, peers }) => origin + peers);
    this.#area(points, "peers", ({ peers }) => peers);
    this.#offload(points);
  }

  #grid() {
    const context = this.#context;
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const y = Math.round(this.#y(share * this.#top)) + 0.5;
      context.strokeStyle = this.#colour("line");
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(this.#width, y);
      context.stroke();
      context.fillStyle = this.#colour("muted");
      context.textAlign = "left";
      if (share === 0.5 || share === 1) context.fillText(this.#label(share), 0, y - 5);
      context.fillStyle = this.#colour("offload");
      context.textAlign = "right";
      if (share * 2 === Math.round(share * 2)) {
        context.fillText(`${share * 100} %`, this.#width + Drawing.MARGIN.right, y + 4);
      }
    }
  }

  #times() {
    const context = this.#context;
    context.fillStyle = this.#colour("muted");
    const { span, tick, unit, short } = this.#range;
    const step = this.#width / (span / tick) < LABEL ? 2 * tick : tick;
    for (let ago = 0; ago <= span; ago += step) {
      // The last one at the left has no room to be in the middle of its mark.
      context.textAlign = ago === 0 ? "right" : ago === span ? "left" : "center";
      const text = ago === 0 ? "now" : `−${ago / unit} ${short}`;
      context.fillText(text, this.#x(ago), this.#bottom + 17);
    }
  }

  /**
   * @param {Point[]} points
   * @param {string} colour
   * @param {(point: Point) => number} height
   */
  #area(points, colour, height) {
    const context = this.#context;
    this.#path(points, (point) => this.#y(height(point)));
    context.lineTo(this.#x(points.at(-1)?.age ?? 0), this.#bottom);
    context.lineTo(this.#x(points[0]?.age ?? 0), this.#bottom);
    context.fillStyle = this.#colour(colour);
    context.fill();
  }

  /** @param {Point[]} points */
  #offload(points) {
    const context = this.#context;
    this.#path(points, ({ offload }) => this.#y(offload * this.#top));
    context.strokeStyle = this.#colour("offload");
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.stroke();
  }

  /**
   * @param {Point[]} points
   * @param {(point: Point) => number} y
   */
  #path(points, y) {
    this.#context.beginPath();
    for (const point of points) this.#context.lineTo(this.#x(point.age), y(point));
  }

  /** @param {number} share of the scale */
  #label(share) {
    return `${size(share * this.#top).replace(".0 ", " ")}/s`;
  }

  /** @param {number} age */
  #x(age) {
    return this.#width * (1 - age / this.#range.span);
  }

  /** @param {number} bytes */
  #y(bytes) {
    const { top } = Drawing.MARGIN;
    return this.#bottom - (bytes / this.#top) * (this.#bottom - top);
  }

  /** @param {string} name */
  #colour(name) {
    return this.#style.getPropertyValue(`--${name}`);
  }
}
