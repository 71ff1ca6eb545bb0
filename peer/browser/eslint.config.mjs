// Style and the layer rules: wire says, core decides, shells do.

import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** What the core must not know: anything that is the platform's, the clock's or chance's. */
const PLATFORM = [
  "window", "self", "globalThis", "document", "navigator", "location", "localStorage",
  "sessionStorage", "indexedDB", "caches", "crypto", "performance", "console", "fetch",
  "XMLHttpRequest", "WebSocket", "EventSource", "RTCPeerConnection", "Worker", "setTimeout",
  "setInterval", "clearTimeout", "clearInterval", "queueMicrotask", "requestAnimationFrame",
  "requestIdleCallback", "AbortController", "Date",
];

/** The layers below the shells, and the only folders that each may import from. */
const LAYERS = [
  { files: ["src/model.ts", "src/errors.ts"], allowed: "\\./(model|errors|wire/schema)$" },
  { files: ["src/wire/*.ts"], allowed: "\\.\\./(model|errors)$|\\./[a-z]+" },
  { files: ["src/core/*.ts"], allowed: "\\.\\./(model|errors)$|\\.\\./wire/[a-z]+$|\\./[a-z]+" },
];

export default defineConfig(
  { ignores: ["node_modules/", "dist/"] },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      eqeqeq: ["error", "always"],
      "prefer-template": "error",
      "object-shorthand": "error",
      "no-console": "error",
    },
  },
  ...LAYERS.map(({ files, allowed }) => ({
    files,
    rules: {
      "no-restricted-globals": ["error", ...PLATFORM],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "Chance comes in as a seed." },
      ],
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: `^(?!(?:${allowed}))`, message: "core knows wire and values, wire knows values." },
          ],
        },
      ],
    },
  })),
  { files: ["**/*.mjs"], extends: [tseslint.configs.strict] },
);
