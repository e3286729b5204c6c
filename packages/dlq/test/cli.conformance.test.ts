import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { until } from "@bus/testkit";
import { DlqLab } from "./support/dlq-lab.ts";
import { bytes, failingBus, text } from "./support/failing-bus.ts";
import { runCli } from "./support/run-cli.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";
import type { CliResult } from "./support/run-cli.ts";

const lab = await DlqLab.start();
afterAll(() => lab[Symbol.asyncDispose]());

test("bus-dlq lists, shows, replays and discards dead letters of a real broker", async () => {
  await using folder = await temporaryFolder();
  const config = join(folder.path, "bus.yaml");
  const [broker = ""] = lab.cluster.brokers;
  await writeFile(
    config,
    `group: billing\ntransport:\n  kafka: { brokers: ["${broker}"], driver: kafkajs }\nplugins: { dlq: { leaseMs: 2000 } }\n`,
  );
  const cli = (...args: readonly string[]): Promise<CliResult> =>
    runCli(...args, "--topic", "orders", "--config", config);
  await lab.createTopic("orders", 2);
  const handled: string[] = [];
  let isRepaired = false;
  await using bus = await failingBus({
    transport: lab.transport("kafkajs"),
    topic: "orders",
    handler: ({ value }) => {
      if (!isRepaired) throw new SyntaxError("not what it \u001b[31mshould be");
      handled.push(text(value));
    },
  });
  for (let n = 0; n < 4; n += 1)
    await bus.publish("orders", bytes(`order-${n}`), { key: `key-${n % 2}` });
  await lab.untilStored("orders.dlq", 4);

  const table = await cli("ls");
  expect(table).toMatchObject({ code: 0, error: "" });
  expect(table.out.split("\n")).toHaveLength(6);
  expect(table.out).not.toContain("\u001b");
  const listed: readonly { readonly id: string; readonly errorName: string }[] = JSON.parse(
    (await cli("ls", "--json", "--limit", "2")).out,
  );
  expect(listed.map(({ errorName }) => errorName)).toEqual(["SyntaxError", "SyntaxError"]);
  const id = listed[0]?.id ?? "";
  expect(JSON.parse((await cli("show", id, "--json")).out)).toMatchObject([
    { id, state: "open", value: { text: expect.stringMatching(/^order-\d$/) } },
  ]);
  expect(await cli("show", "unknown")).toMatchObject({
    code: 1,
    error: "bus-dlq: there is no dead letter unknown\n",
  });

  expect(await cli("replay", "--dry-run")).toMatchObject({ code: 0, out: "4 would be replayed\n" });
  expect(
    await cli("discard", "--yes", "--id", id, "--reason", "test", "--by", "ops"),
  ).toMatchObject({ code: 0, out: "1 of 1 discarded\n" });
  expect(JSON.parse((await cli("show", id, "--json")).out)).toMatchObject([
    { state: "discarded", log: { by: "ops", reason: "test" } },
  ]);
  isRepaired = true;
  expect(await cli("replay", "--yes", "--rate", "100")).toMatchObject({
    code: 0,
    out: "3 of 3 replayed, 1 dealt with before\n",
  });
  await until(() => handled.length === 3, {
    timeoutMs: 30_000,
    what: "three orders",
    state: () => handled,
  });
  expect(await cli("replay", "--yes")).toMatchObject({
    code: 0,
    out: "0 of 0 replayed, 4 dealt with before\n",
  });
  expect(await cli("ls")).toMatchObject({ code: 0, out: "no dead letters\n" });

  await lab.cluster.pause(1);
  await writeFile(
    config,
    `group: billing\ntransport:\n  kafka: { brokers: ["127.0.0.1:1"], driver: kafkajs, connectTimeoutMs: 1000 }\nplugins: { dlq: {} }\n`,
  );
  const unreachable = await cli("ls");
  expect(unreachable).toMatchObject({ code: 1, out: "" });
  expect(unreachable.error.trim().split("\n")).toHaveLength(1);
  await lab.cluster.resume(1);
});
