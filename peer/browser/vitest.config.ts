// How the tests run: in Node, on what test/ names.

import { defineConfig } from "vitest/config";

export default defineConfig({
  // The vectors and scenarios that both languages read are at the top of the repository.
  server: { fs: { allow: ["../.."] } },
  test: { include: ["test/**/*.test.ts"] },
});
