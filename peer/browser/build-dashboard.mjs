// Builds the dashboard into tracker/static, from where the tracker serves it.
//
//   dashboard/main.tsx      -> dashboard.js   with preact and uPlot in it
//   dashboard/dashboard.css -> dashboard.css  with uPlot's in it
//   index.html, icon.svg    as they are

import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

/** What all of the page may weigh. */
const GZIP_LIMIT = 60 * 1024;

/** Build it; returns whether it is small enough. */
export async function buildDashboard(here, root) {
  const source = join(here, "dashboard");
  const output = join(root, "tracker", "static");
  mkdirSync(output, { recursive: true });
  await build({
    absWorkingDir: here,
    entryPoints: [join(source, "main.tsx"), join(source, "dashboard.css")],
    entryNames: "dashboard",
    outdir: output,
    bundle: true,
    minify: true,
    format: "esm",
    charset: "utf8",
    target: "es2022",
    legalComments: "inline",
    logLevel: "warning",
  });
  const copied = ["index.html", "icon.svg"];
  for (const name of copied) copyFileSync(join(source, name), join(output, name));
  const files = [...copied, "dashboard.js", "dashboard.css"];
  const sizeOf = (name) => gzipSync(readFileSync(join(output, name)), { level: 9 }).length;
  const total = files.reduce((sum, name) => sum + sizeOf(name), 0);
  console.log(`dashboard: ${(total / 1024).toFixed(1)} KB gzipped`);
  if (total <= GZIP_LIMIT) return true;
  console.error(`The dashboard is over ${GZIP_LIMIT / 1024} KB gzipped: make it smaller.`);
  return false;
}
