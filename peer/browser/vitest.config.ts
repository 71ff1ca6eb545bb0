// How the tests run: in Node, on what test/ names.

import { defineConfig } from "vitest/config";

export default defineConfig({
  // The vectors and scenarios that both languages read are at the top of the repository.
  server: { fs: { allow: ["../.."] } },
  test: {
    include: ["test/**/*.test.ts"],
    // A busy machine takes its time, and what hangs hangs for longer than that, too.
    testTimeout: 30_000,
    // The default leaves a core to somebody who watches.
    maxWorkers: "100%",
    // As the Python tests': a second try on CI's machine, and the report says so.
    retry: process.env["CI"] === "true" ? 1 : 0,
  },
});
