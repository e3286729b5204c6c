import { expect, test } from "vitest";
import { SeedBrokers } from "./seed-brokers.ts";

test("brokers are tried in the order of the options until one is suspected, which then comes last", () => {
  const seeds = new SeedBrokers(["a:1", "b:2", "c:3"]);
  expect(seeds.order).toEqual(["a:1", "b:2", "c:3"]);
  seeds.suspect("a:1");
  expect(seeds.order).toEqual(["b:2", "c:3", "a:1"]);
  seeds.suspect("b:2");
  expect(seeds.order).toEqual(["c:3", "a:1", "b:2"]);
});

test("an address that is not among the brokers changes nothing", () => {
  const seeds = new SeedBrokers(["a:1", "b:2"]);
  seeds.suspect("advertised-elsewhere:9");
  seeds.suspect(undefined);
  expect(seeds.order).toEqual(["a:1", "b:2"]);
});
