import { BusError } from "@bus/core";
import { describe, expect, it } from "vitest";
import { loadConfluent } from "./load-confluent.ts";

function failure(thrown: unknown): BusError {
  try {
    loadConfluent(() => {
      throw thrown;
    });
  } catch (error) {
    if (BusError.is(error)) return error;
  }
  throw new Error("no error was thrown");
}

describe("loadConfluent", () => {
  it("says that the package is not installed", () => {
    const cause = Object.assign(
      new Error("Cannot find module '@confluentinc/kafka-javascript'\nRequire stack:\n- x"),
      { code: "MODULE_NOT_FOUND" },
    );
    const error = failure(cause);
    expect(error.code).toBe("BUS_CONFIG");
    expect(error.cause).toBe(cause);
    expect(error.message).toBe(
      "confluentDriver() needs the package @confluentinc/kafka-javascript, which is not installed: add it to your dependencies",
    );
  });

  for (const [what, cause] of [
    ["has not been built", new Error("Could not locate the bindings file. Tried:\n → /a/b.node")],
    [
      "was built for another Node",
      Object.assign(
        new Error(
          "The module was compiled against a different Node.js version using\nNODE_MODULE_VERSION 115",
        ),
        {
          code: "ERR_DLOPEN_FAILED",
        },
      ),
    ],
  ] as const) {
    it(`says what building needs when the addon ${what}`, () => {
      const error = failure(cause);
      expect(error.code).toBe("BUS_CONFIG");
      expect(error.cause).toBe(cause);
      expect(error.message).toContain(cause.message.split("\n")[0]);
      for (const name of [
        "@confluentinc/kafka-javascript",
        "g++",
        "python3",
        "libssl-dev",
        "libzstd-dev",
        "zlib1g-dev",
        "libcurl4-openssl-dev",
        "CKJS_LINKING=dynamic",
      ])
        expect(error.message).toContain(name);
      expect(error.details).toMatchObject({
        package: "@confluentinc/kafka-javascript",
        abi: process.versions.modules,
      });
    });
  }
});
