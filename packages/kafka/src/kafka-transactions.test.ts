import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import type { ErrorCode } from "@bus/core";
import { KafkaTransactions } from "./kafka-transactions.ts";

const failure = (code: ErrorCode): BusTransportError => new BusTransportError(code, code);

function lab(abort: () => Promise<void>) {
  const calls: string[] = [];
  const transactions = new KafkaTransactions({
    driver: {
      producer: {
        partitionCount: () => 1,
        loadTopic: () => Promise.resolve(),
        send: () => undefined,
        flush: () => Promise.resolve(),
        transactions: {
          begin: () =>
            Promise.resolve({
              send: () => undefined,
              sendOffsets: () => Promise.resolve(),
              commit: async () => void calls.push("commit"),
              abort: async () => {
                calls.push("abort");
                await abort();
              },
            }),
        },
      },
    },
    publish: () => Promise.resolve([]),
    positionAfter: () => undefined,
  });
  const failWith = (error: Error): Promise<unknown> =>
    transactions.run(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
  return { transactions, calls, failWith };
}

test("a body that resolves commits, one that rejects aborts and is heard", async () => {
  const { transactions, calls, failWith } = lab(() => Promise.resolve());
  expect(await transactions.run(() => Promise.resolve(7))).toBe(7);
  const error = new Error("on purpose");
  expect(await failWith(error)).toBe(error);
  expect(calls).toEqual(["commit", "abort"]);
});

test("a publish that failed because another producer has taken the id over is told as that", async () => {
  const fenced = failure("BUS_FENCED");
  const { failWith } = lab(() => Promise.reject(fenced));
  for (const code of ["BUS_PUBLISH_FAILED", "BUS_OUTCOME_UNKNOWN", "BUS_PUBLISH_PARTIAL"] as const)
    expect(await failWith(failure(code))).toBe(fenced);
});

test("what the body failed with by itself is heard whatever the abort says", async () => {
  const error = new Error("the user's own");
  const { failWith } = lab(() => Promise.reject(failure("BUS_FENCED")));
  expect(await failWith(error)).toBe(error);
  const lost = failure("BUS_PUBLISH_FAILED");
  expect(await lab(() => Promise.reject(failure("BUS_TRANSPORT"))).failWith(lost)).toBe(lost);
});
