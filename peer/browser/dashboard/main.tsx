/** The dashboard: draws the page whenever there is something else to show. */

import { render } from "preact";

import { Board } from "./board";
import { Page } from "./page";
import type { Range } from "./ranges";

const root = document.getElementById("board");
if (!root) throw new Error("the page has no element board");

const board = new Board(location.hash, draw);

/** The address remembers what was chosen. */
function choose(range: Range): void {
  history.replaceState(null, "", `#${range.id}`);
  board.choose(range);
}

function draw(): void {
  if (root) render(<Page board={board} choose={choose} />, root);
}

draw();
board.follow();
