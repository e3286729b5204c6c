import { defineConfig } from "vitest/config";

const conditions = ["@bus/source", "node", "import", "module", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/{src,test}/**/*.test.ts", "tools/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/*.conformance.test.ts", "**/dist/**"],
    testTimeout: 10_000,
    hookTimeout: 30_000,
  },
});
