import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const conditions = ["@bus/source", "node", "import", "module", "default"];

/**
 * Suites that state what the product must do and does not do reliably yet: they belong to open issues and are not part
 * of the gate. There may be none. See docs/decisions/0008.
 */
const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.open.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    passWithNoTests: true,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});

export default config;
