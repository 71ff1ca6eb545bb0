/** The module: what `import ... from "p2pcdn"` gives. */

export { version } from "./version";
