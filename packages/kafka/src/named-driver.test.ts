import { describe, expect, test } from "vitest";
import { validateOptions } from "@bus/core/adapter";
import { testHost } from "@bus/testkit";
import { KAFKA_OPTION_SCHEMA } from "./kafka-schema.ts";
import { chooseDriver } from "./named-driver.ts";
import type { ChosenDriver } from "./named-driver.ts";

function choose(driver: "kafkajs" | "confluent", options: object = {}): ChosenDriver {
  const given = { brokers: ["127.0.0.1:1"], driver, ...options };
  return chooseDriver(validateOptions(KAFKA_OPTION_SCHEMA, given, "kafka"), testHost());
}

describe.each(["kafkajs", "confluent"] as const)("the driver %s, chosen by its name", (name) => {
  test("refuses options that its client cannot honour before it connects", async () => {
    const { driver } = choose(name, { net: { writeTimeoutMs: 5 } });
    await expect(driver.connect()).rejects.toMatchObject({
      code: "BUS_UNSUPPORTED",
      details: { path: "kafka.net.writeTimeoutMs" },
    });
    await driver.close();
  });
});
