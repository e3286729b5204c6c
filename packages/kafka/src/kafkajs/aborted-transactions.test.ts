import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { fetchFrom, transactionLog } from "../../test/transaction-log.ts";
import type { LogStep, TransactionLog } from "../../test/transaction-log.ts";
import { AbortedTransactions } from "./aborted-transactions.ts";
import { lazyRecords } from "./lazy-record.ts";
import { recordBatchSize } from "./record-batch-header.ts";
import { readRecordBatch } from "./record-batch-reader.ts";

const SOURCE = { topic: "flights", partition: 3 };

/** Offsets that a reader sees who begins at `fetchOffset` and gets what a broker would send. */
function read(log: TransactionLog, fetchOffset = 0): number[] {
  const bytes = fetchFrom(log, fetchOffset);
  const aborted = new AbortedTransactions(
    log.aborted
      .filter(({ markerOffset }) => markerOffset >= fetchOffset)
      .map(({ producerId, firstOffset }) => ({
        producerId: Number(producerId),
        firstOffset: Number(firstOffset),
      })),
  );
  const offsets: number[] = [];
  let at = 0;
  for (
    let size = recordBatchSize(bytes, at, SOURCE);
    size !== undefined;
    size = recordBatchSize(bytes, at, SOURCE)
  ) {
    const batch = readRecordBatch(bytes, at, SOURCE);
    if (!aborted.hides(batch))
      offsets.push(...lazyRecords(batch, fetchOffset).map(({ offset }) => Number(offset)));
    at += size;
  }
  return offsets;
}

const write = (producer: number, count = 1): LogStep => ({ producer, kind: "write", count });
const abort = (producer: number): LogStep => ({ producer, kind: "abort", count: 0 });
const commit = (producer: number): LogStep => ({ producer, kind: "commit", count: 0 });

describe("AbortedTransactions", () => {
  test("hides an aborted transaction and both kinds of markers, and shows a committed one", () => {
    const log = transactionLog([write(1, 2), abort(1), write(1), commit(1), write(0)]);
    expect(read(log)).toEqual([3, 5]);
  });

  test("hides the whole of a transaction that began before another and was aborted after it", () => {
    // The broker lists producer 2 first, for it ended first, though its first offset is the later one.
    const log = transactionLog([write(1), write(2), abort(2), write(1), abort(1), write(0)]);
    expect(log.aborted.map(({ producerId }) => producerId)).toEqual([2n, 1n]);
    expect(read(log)).toEqual([5]);
  });

  test("shows what lies between the batches of an aborted transaction", () => {
    const log = transactionLog([write(1), write(0), write(2), write(1), commit(2), abort(1)]);
    expect(read(log)).toEqual([1, 2]);
  });

  test("shows a producer's next transaction after its aborted one", () => {
    const log = transactionLog([write(1), abort(1), write(1), write(2), commit(1), abort(2)]);
    expect(read(log)).toEqual([2]);
  });

  test("hides the rest of an aborted transaction that began before the fetch", () => {
    const log = transactionLog([write(1), write(0), write(1), write(0), abort(1)]);
    expect(read(log, 1)).toEqual([1, 3]);
  });

  test("hides only markers when the broker lists nothing, as for read_uncommitted", () => {
    const log = transactionLog([write(1), abort(1), write(0)]);
    expect(read({ ...log, aborted: [] })).toEqual([0, 2]);
  });

  test("shows exactly the committed messages of any interleaving, from any offset", () => {
    const step = fc.record<LogStep>({
      producer: fc.nat({ max: 4 }),
      kind: fc.constantFrom("write", "write", "write", "commit", "abort"),
      count: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 100 }), (steps, from) => {
        const log = transactionLog(steps);
        const fetchOffset = Math.min(from, Math.max(log.end - 1, 0));
        expect(read(log, fetchOffset)).toEqual(
          log.visible.filter((offset) => offset >= fetchOffset),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("refuses a marker without a type as corrupt", () => {
    const { batches } = transactionLog([write(1), abort(1)]);
    const marker = Buffer.from(batches[1]?.bytes ?? []);
    marker[65] = 1; // Length of the key: null.
    marker[61] = 1 + 2 * 10;
    const batch = readRecordBatch(marker, 0, SOURCE);
    let error: unknown;
    try {
      new AbortedTransactions([]).hides(batch);
    } catch (thrown) {
      error = thrown;
    }
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
  });
});
