import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const conditions = ["@bus/source", "node", "import", "module", "default"];

/**
 * Suites that talk to real brokers, each to its own. They wait much, for sessions to expire and groups to settle, so two
 * run at a time: on two cores that takes half of the sum of their times.
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
