import { defineConfig } from "vitest/config";

// The vectors and scenarios that both languages read are at the top of the repository.
export default defineConfig({
  server: { fs: { allow: ["../.."] } },
  test: { include: ["test/**/*.test.ts"] },
});
