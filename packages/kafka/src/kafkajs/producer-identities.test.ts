import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import type { ProducerIdentity } from "./produce-request.ts";
import { ProducerIdentities } from "./producer-identities.ts";

function lab() {
  const clock = manualClock();
  const state = { fetched: 0, isRefusing: false, ready: 0, failed: 0 };
  const identities = new ProducerIdentities({
    clock,
    random: () => 0.5,
    fetch: async () => {
      state.fetched += 1;
      if (state.isRefusing) throw new Error("not now");
      return identity(state.fetched);
    },
    onReady: () => void (state.ready += 1),
    onFailed: () => void (state.failed += 1),
  });
  return { clock, state, identities };
}

function identity(number: number): ProducerIdentity {
  return { producerId: BigInt(number), producerEpoch: 0 };
}

test("all partitions share the first identity, and later the one that replaced it", async () => {
  const { identities, state } = lab();
  await identities.open();
  const first = identities.other(undefined);
  expect(first).toEqual(identity(1));
  expect(identities.other(first)).toBeUndefined();
  expect(identities.other(first)).toBeUndefined();
  await turn();
  expect(state).toMatchObject({ fetched: 2, ready: 1 });
  expect(identities.other(first)).toEqual(identity(2));
  expect(identities.other(undefined)).toEqual(identity(2));
});

test("an identity that cannot be had is asked for again", async () => {
  const { identities, state, clock } = lab();
  await identities.open();
  state.isRefusing = true;
  identities.other(identities.other(undefined));
  await turn();
  expect(state).toMatchObject({ fetched: 2, failed: 1, ready: 0 });
  state.isRefusing = false;
  await clock.advanceAsync(5_000);
  expect(state).toMatchObject({ fetched: 3, ready: 1 });
});

test("the first identity that cannot be had fails the opening", async () => {
  const { identities, state } = lab();
  state.isRefusing = true;
  await expect(identities.open()).rejects.toThrow("not now");
});

test("nothing is asked for once it is closed, whether an answer is awaited or a retry", async () => {
  const { identities, state, clock } = lab();
  await identities.open();
  state.isRefusing = true;
  identities.other(identities.other(undefined));
  identities.close();
  await turn();
  await clock.advanceAsync(60_000);
  identities.other(identities.other(undefined));
  await turn();
  expect(state).toMatchObject({ fetched: 2, failed: 0, ready: 0 });
});
