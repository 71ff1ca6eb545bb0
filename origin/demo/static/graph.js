// @ts-check
/** Who this window is linked to, as a small picture and as a list. */

import { byId } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 62;

/** Characters of a peer's id that are enough to tell two apart. */
const SHORT = 8;

/** @param {string[]} peers the ids of those at the other ends */
export function showLinks(peers) {
  byId("links-empty").hidden = peers.length > 0;
  byId("links").replaceChildren(...peers.map(item));
  byId("graph").replaceChildren(...picture(peers.length));
}

/** @param {string} peer */
function item(peer) {
  const entry = document.createElement("li");
  const mark = document.createElement("span");
  mark.textContent = "peer ";
  entry.append(mark, peer.slice(0, SHORT));
  return entry;
}

/** @param {number} count */
function picture(count) {
  const spots = Array.from({ length: count }, (_, index) => {
    const angle = (2 * Math.PI * index) / count - Math.PI / 2;
    return { x: RADIUS * Math.cos(angle), y: RADIUS * Math.sin(angle) };
  });
  const me = shape("text", {});
  me.textContent = "you";
  return [
    shape("circle", { class: "ring", r: RADIUS }),
    ...spots.map(({ x, y }) => shape("line", { x2: x, y2: y })),
    ...spots.map(({ x, y }) => shape("circle", { cx: x, cy: y, r: 11 })),
    shape("circle", { class: "me", r: 21 }),
    me,
  ];
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
