/** The npm package: what a page's bundler and compiler find in it. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const CONSUMER = `
import { attach, type Session } from "p2pcdn";

const session: Session = attach({}, { site: "pk_demo", upload: false });
const bytes: number = session.getStats().peerBytes;
// @ts-expect-error: there is no such option
attach({}, { sites: "pk_demo" });
export { bytes };
`;

const RESOLUTIONS = { node16: "node16", bundler: "esnext" };

let page: string;
let installed: string;

beforeAll(() => {
  page = mkdtempSync(join(tmpdir(), "p2pcdn-package-"));
  installed = join(page, "node_modules", "p2pcdn");
  mkdirSync(installed, { recursive: true });
  const made = execFileSync("node", ["package.mjs", page], { encoding: "utf8" }).trim();
  execFileSync("tar", ["-xzf", made, "-C", installed, "--strip-components=1"]);
  writeFileSync(join(page, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(page, "page.ts"), CONSUMER);
});
afterAll(() => {
  rmSync(page, { recursive: true, force: true });
});

describe("the npm package", () => {
  it("has the version that Python has, and no more than it needs", () => {
    const { version, files, dependencies } = JSON.parse(
      readFileSync(join(installed, "package.json"), "utf8"),
    ) as { version: string; files: string[]; dependencies?: object };
    const source = readFileSync("../../p2pcdn/__init__.py", "utf8");
    expect(source).toContain(`__version__ = "${version}"`);
    expect(dependencies).toBeUndefined();
    for (const file of [...files, "README.md", "LICENSE"]) {
      expect(readFileSync(join(installed, file)).length).toBeGreaterThan(0);
    }
  });

  it("can be imported where there is no browser, and says its version", () => {
    const script = 'import { version } from "p2pcdn"; console.log(version)';
    const said = execFileSync("node", ["--input-type=module", "--eval", script], {
      cwd: page,
      encoding: "utf8",
    });
    expect(said).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each(Object.entries(RESOLUTIONS))("has types for moduleResolution %s", (resolution, module) => {
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"];
    const compile = ["node_modules/typescript/bin/tsc", ...options, "--moduleResolution", resolution];
    execFileSync("node", [...compile, "--module", module, join(page, "page.ts")], {
      stdio: "inherit",
    });
  });

  it("is as publint wants it", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });
});
