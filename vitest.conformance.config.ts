import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const conditions = ["@bus/source", "node", "import", "module", "default"];

/**
 * Suites that talk to real brokers, each to its own: most of their time is waiting for sessions to expire and groups to
 * settle, so two run at a time, also on two cores.
 */
const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.conformance.test.ts", "tools/**/*.conformance.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});

export default config;
