import { expect, test } from "vitest";

import { parseVersion } from "./binary-runtime.ts";

test("the version is read out of what the server prints, and nothing else is taken for one", () => {
  expect(parseVersion("nats-server: v2.15.2\n")).toBe("2.15.2");
  expect(parseVersion("nats-server: v2.9.10-beta.1\n")).toBe("2.9.10");
  expect(parseVersion("command not found")).toBeUndefined();
});
