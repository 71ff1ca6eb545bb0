// Makes the npm package of the module, dist/p2pcdn-VERSION.tgz, from what `npm run build` has built;
// in another directory than dist, if one is named.
//
//   import { attach } from "p2pcdn"    p2pcdn.mjs, p2pcdn.d.ts
//   p2pcdn/p2pcdn.js                   the snippet, for those who serve it from a host of their own
//
// This directory is no package itself: the version is Python's, and sources and tests stay here.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const built = join(root, "origin", "static");
const output = process.argv[2] ?? join(root, "dist");
const place = join(output, "npm");

const { description, license } = read(join(here, "package.json"));
const { version } = read(join(built, "manifest.json"));
const manifest = {
  name: "p2pcdn",
  version,
  description,
  license,
  keywords: ["cdn", "hls", "hls.js", "p2p", "streaming", "video", "webrtc"],
  type: "module",
  sideEffects: ["./p2pcdn.js"],
  exports: {
    ".": { types: "./p2pcdn.d.ts", default: "./p2pcdn.mjs" },
    "./p2pcdn.js": "./p2pcdn.js",
    "./package.json": "./package.json",
  },
  files: ["p2pcdn.js", "p2pcdn.mjs", "p2pcdn.d.ts"],
};

rmSync(place, { recursive: true, force: true });
mkdirSync(place, { recursive: true });
writeFileSync(join(place, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const file of manifest.files) copyFileSync(join(built, file), join(place, file));
copyFileSync(join(here, "README.md"), join(place, "README.md"));
copyFileSync(join(root, "LICENSE"), join(place, "LICENSE"));
const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", output];
const name = execFileSync("npm", pack, { cwd: place, encoding: "utf8" }).trim();
console.log(join(output, name));

function read(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
