import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const conditions = ["@bus/source", "node", "import", "module", "default"];

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/{src,test}/**/*.test.ts", "tools/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/*.conformance.test.ts", "**/*.open.test.ts", "**/dist/**"],
    testTimeout: 10_000,
    hookTimeout: 30_000,
  },
});

export default config;
