import { describe, expect, test } from "vitest";
import { validateOptions } from "@bus/core/adapter";
import { testHost } from "@bus/testkit";
import { KAFKA_OPTION_SCHEMA } from "../src/kafka-schema.ts";
import { chooseDriver } from "../src/named-driver.ts";

// Beside the suites on brokers because it loads Confluent's addon, which is prepared for them.
describe.each(["kafkajs", "confluent"] as const)("the driver %s, chosen by its name", (name) => {
  test("is loaded when the transport connects, not before, and then describes its client", async () => {
    const { driver, describe: describeClient } = chooseDriver(
      validateOptions(
        KAFKA_OPTION_SCHEMA,
        { brokers: ["127.0.0.1:1"], driver: name, net: { dialTimeoutMs: 1_000 } },
        "kafka",
      ),
      testHost(),
    );
    expect(() => driver.producer).toThrow(
      `the kafka transport must be connected before its driver ${name} can be used`,
    );
    expect(describeClient()).toEqual({ driver: name });
    await expect(driver.connect()).rejects.toMatchObject({ code: "BUS_CONNECT" });
    expect(describeClient()).toHaveProperty("consumer");
    await driver.close();
  });
});
