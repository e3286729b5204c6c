import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CORE_VERSION } from "./core-version.ts";

it("is the version in package.json; change both in one commit", () => {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  expect(manifest).toMatchObject({ version: CORE_VERSION });
});
