/** The script tag: everything behind the one global, `window.p2pcdn`. */

import * as p2pcdn from "./index";

Object.assign(globalThis, { p2pcdn });
