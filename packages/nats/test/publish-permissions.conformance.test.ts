import { expect, test } from "vitest";
import { createEventBus } from "@bus/core";
import { startNats } from "@bus/tools-brokers";

import { nats } from "../src/index.ts";

for (const version of ["2.15.2", "2.9.10"] as const)
  test(`nats ${version}: a topic that this user may not publish to fails at once and by name, others go on`, async () => {
    const permissions = { publish: { deny: ["salaries"] } };
    const users = [{ user: "u", password: "p", permissions }];
    await using cluster = await startNats({ version, config: { authorization: { users } } });
    const transport = nats({
      servers: cluster.servers,
      auth: { user: "u", pass: "p" },
      stream: { ensure: "create" },
    });
    await using bus = createEventBus({ transport });
    await bus.start();
    const value = new Uint8Array([1]);
    await bus.publish("orders", value);
    const startedMs = performance.now();
    await expect(bus.publish("salaries", value)).rejects.toMatchObject({
      code: "BUS_AUTHORIZATION",
      details: { subject: "salaries" },
    });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await bus.publish("orders", value);
  });
