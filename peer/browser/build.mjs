// Builds the snippet into origin/static, from where the origin serves it and the wheel carries it.
//
//   src/global.ts -> p2pcdn.js    for a script tag (one global, no exports)
//   src/index.ts  -> p2pcdn.mjs   for bundlers and `import`
//                    p2pcdn.d.ts  its types, in one file
//   src/local.ts  -> p2pcdn-local.mjs, loaded by those pages that look for a native peer
//   hls.js        -> hls.min.js   for the demo and the tests
//   manifest.json                 hash, SRI, sizes and version of p2pcdn.js
//
// and the dashboard into tracker/static.
//
// The same sources give the same bytes, so the hash in a URL means what it says.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { generateDtsBundle } from "dts-bundle-generator";
import { build } from "esbuild";
import { minify } from "terser";

import { buildDashboard } from "./build-dashboard.mjs";

/** What a page may be asked to load (docs/decisions/0005); p2p-media-loader takes 45 KB. */
const GZIP_LIMIT = 40 * 1024;

/**
 * Has Chromium compile all of it while it is loaded, on a thread of its own, instead of most of it
 * function by function while the page brings its first picture (V8's explicit compile hints).
 */
const COMPILE_ALL = "//# allFunctionsCalledOnLoad";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const output = join(root, "origin", "static");

const version = readVersion();
const messages = coreMessages();
mkdirSync(output, { recursive: true });
await bundle("src/global.ts", "iife", "p2pcdn.js");
await bundle("src/index.ts", "esm", "p2pcdn.mjs");
await bundle("src/local.ts", "esm", "p2pcdn-local.mjs");
writeFileSync(join(output, "p2pcdn.d.ts"), types());
copyFileSync(join(here, "node_modules/hls.js/dist/hls.min.js"), join(output, "hls.min.js"));
const facts = describe(readFileSync(join(output, "p2pcdn.js")));
if (!(await buildDashboard(here, root))) process.exitCode = 1;
writeFileSync(join(output, "manifest.json"), `${JSON.stringify(facts, null, 2)}\n`);
report(facts);

/** The one version, as Python has it. */
function readVersion() {
  const source = readFileSync(join(root, "p2pcdn", "__init__.py"), "utf8");
  const found = /^__version__ = "([^"]+)"$/m.exec(source);
  if (!found) throw new Error('p2pcdn/__init__.py has no line like __version__ = "1.2.3"');
  return found[1];
}

/** The inputs and events of the core's machines, which bear names in its sources. */
function coreMessages() {
  const core = join(here, "src", "core");
  const sources = readdirSync(core).map((file) => readFileSync(join(core, file), "utf8"));
  const found = sources.join("").matchAll(/readonly type: "([A-Z]\w+)"/g);
  return [...new Set(Array.from(found, ([, name]) => name))];
}

/** Their names, which nobody else knows either, are numbers in the bundle. */
function numbered(code) {
  const quoted = new RegExp(`"(${messages.join("|")})"`, "g");
  return code.replace(quoted, (_, name) => messages.indexOf(name));
}

async function bundle(entry, format, name) {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    write: false,
    format,
    bundle: true,
    charset: "utf8",
    target: "es2021",
    legalComments: "none",
    define: { P2PCDN_VERSION: JSON.stringify(version) },
    logLevel: "warning",
  });
  const { code } = await minify(numbered(outputFiles[0].text), {
    ecma: 2020,
    module: true,
    // Our getters do nothing but get. What is inlined into several places is no shorter gzipped.
    compress: { passes: 3, pure_getters: true, keep_fargs: false, inline: 1 },
    // Private members begin with an underscore: nobody else knows their names.
    mangle: { properties: { regex: /^_[a-z]/ } },
    format: { preamble: `${COMPILE_ALL}\n/*! p2pcdn ${version} | Apache-2.0 */` },
  });
  writeFileSync(join(output, name), `${code}\n`);
}

function types() {
  const [text] = generateDtsBundle(
    [{ filePath: join(here, "src/index.ts"), output: { noBanner: true, exportReferencedTypes: false } }],
    { preferredConfigPath: join(here, "tsconfig.json") },
  );
  return text;
}

function describe(script) {
  return {
    version,
    hash: createHash("sha256").update(script).digest("hex").slice(0, 16),
    sri: `sha384-${createHash("sha384").update(script).digest("base64")}`,
    size: script.length,
    gzip: gzipSync(script, { level: 9 }).length,
  };
}

function report({ size, gzip, hash, sri }) {
  const kilobytes = (bytes) => (bytes / 1024).toFixed(1);
  console.log(`p2pcdn.js ${version}: ${kilobytes(size)} KB, ${kilobytes(gzip)} KB gzipped, ${hash}`);
  console.log(`integrity="${sri}"`);
  if (gzip > GZIP_LIMIT) {
    console.error(`p2pcdn.js is over ${kilobytes(GZIP_LIMIT)} KB gzipped: make it smaller.`);
    process.exitCode = 1;
  }
}
