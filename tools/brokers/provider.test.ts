import { expect, test } from "vitest";

import { faultsUnavailable, firstAvailable } from "./provider.ts";

test("the first way that this machine has is taken, and later ones are not even looked at", async () => {
  const looked: string[] = [];
  const lookup = (name: string, found: boolean) => async () => {
    looked.push(name);
    return found ? { found: name } : { missing: name };
  };
  expect(
    await firstAvailable("a broker", [lookup("a", false), lookup("b", true), lookup("c", true)]),
  ).toBe("b");
  expect(looked).toEqual(["a", "b"]);
});

test("when nothing is there the error says what could be installed", async () => {
  const nothing = firstAvailable("kafka 4.1.1", [
    async () => ({ missing: "a container engine" }),
    async () => ({ missing: "Java 17" }),
  ]);
  await expect(nothing).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "nothing here can run kafka 4.1.1; provide one of: a container engine; or Java 17",
  });
});

test("every fault on brokers that somebody else runs says so", async () => {
  const faults = faultsUnavailable("KAFKA_BROKERS");
  for (const fault of Object.values(faults)) {
    await expect(fault(2)).rejects.toMatchObject({ code: "FAULTS_UNAVAILABLE" });
  }
  await expect(faults.kill(2)).rejects.toThrow(
    "KAFKA_BROKERS is set, so killing node 2 is impossible: its process is not ours",
  );
});
