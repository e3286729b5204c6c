import { describe, expect, it } from "vitest";
import { parseDemoArguments, UsageError } from "./demo-arguments.ts";

describe("the demo's arguments", () => {
  it("have defaults", () => {
    expect(parseDemoArguments([])).toEqual({
      transport: "memory",
      flights: 20_000,
      partitions: 16,
    });
    expect(parseDemoArguments(["--", "--flights", "5"])).toMatchObject({ flights: 5 });
    expect(parseDemoArguments(["--metrics", "0"])).toMatchObject({ metricsPort: 0 });
    expect(parseDemoArguments(["--help"])).toBe("help");
  });

  for (const bad of [
    ["--flights", "0"],
    ["--flights", "1e3"],
    ["--partitions", "257"],
    ["--transport", "fax"],
    ["--metrics", "65536"],
    ["--speed"],
    ["x"],
  ]) {
    it(`reject ${bad.join(" ")} with a line that names it`, () => {
      expect(() => parseDemoArguments(bad)).toThrowError(UsageError);
    });
  }
});
