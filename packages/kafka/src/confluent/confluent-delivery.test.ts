import type { Settlement } from "@bus/core";
import { ACK } from "@bus/core";
import { describe, expect, it } from "vitest";
import type { DeliveryOwner, OwnedDelivery } from "../kafka-driver.ts";
import type { NativeMessage } from "./confluent-client-types.ts";
import { NO_RECORDS } from "../no-records.ts";
import { MessageRun } from "./confluent-delivery.ts";

function ownerOf(settled: [OwnedDelivery, Settlement][]): DeliveryOwner {
  return {
    draining: new AbortController().signal,
    signal: new AbortController().signal,
    settle: (delivery, settlement) => void settled.push([delivery, settlement]),
  };
}

const MESSAGE: NativeMessage = {
  topic: "orders",
  partition: 3,
  offset: 9_007_199_254_740_991,
  timestamp: 1_700_000_000_123,
  key: Buffer.from("key"),
  value: Buffer.from("value"),
  size: 5,
  headers: [{ a: Buffer.from("1") }, { a: Buffer.from("22") }, { ü: Buffer.alloc(0) }],
};

function deliver(message: NativeMessage): OwnedDelivery {
  return new MessageRun([message], 0, 1).deliver(ownerOf([]), 0);
}

describe("MessageRun", () => {
  it("walks its part of what a call brought", () => {
    const messages = [1, 2, 3, 4].map((offset) => ({ ...MESSAGE, offset }));
    const run = new MessageRun(messages, 1, 3);
    const offsets: number[] = [];
    for (; run.offset >= 0; run.next()) offsets.push(run.offset);
    expect(offsets).toEqual([2, 3]);
    expect(() => new MessageRun(messages, 4, 4).deliver(ownerOf([]), 0)).toThrow(RangeError);
  });

  it("knows the bytes of each record", () => {
    const run = new MessageRun(
      [MESSAGE, { ...MESSAGE, key: null, value: null, size: 0, headers: [] }],
      0,
      2,
    );
    expect(run.sizeBytes).toBe(3 + 5 + 2 + 3 + 1);
    run.next();
    expect(run.sizeBytes).toBe(0);
  });

  it("has nothing in an empty run", () => {
    expect(NO_RECORDS.offset).toBe(-1);
  });
});

describe("a delivery of Confluent's client", () => {
  it("shows the record as it was stored", () => {
    const delivery = deliver(MESSAGE);
    expect(delivery).toMatchObject({
      topic: "orders",
      partition: 3,
      offset: 9_007_199_254_740_991n,
      timestampMs: 1_700_000_000_123,
      attempt: 1,
      sizeBytes: 14,
    });
    expect(Buffer.from(delivery.key ?? []).toString()).toBe("key");
    expect(Buffer.from(delivery.value ?? []).toString()).toBe("value");
  });

  it("keeps order and duplicates of headers, and converts them once", () => {
    const delivery = deliver(MESSAGE);
    expect(delivery.headers.map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
      ["a", "1"],
      ["a", "22"],
      ["ü", ""],
    ]);
    expect(delivery.headers).toBe(delivery.headers);
    expect(deliver({ ...MESSAGE, headers: [] }).headers).toEqual([]);
  });

  it("finds a header that the addon has made the prototype of its object", () => {
    const header: Record<string, Buffer> = {};
    Object.setPrototypeOf(header, Buffer.from("p"));
    const [found] = deliver({ ...MESSAGE, headers: [header] }).headers;
    expect([found?.[0], Buffer.from(found?.[1] ?? []).toString()]).toEqual(["__proto__", "p"]);
  });

  it("shows tombstones and missing keys as null", () => {
    const delivery = deliver({ ...MESSAGE, key: null, value: null, size: 0 });
    expect([delivery.key, delivery.value]).toEqual([null, null]);
  });

  it("asks its owner, and can be handed to another", () => {
    const settled: [OwnedDelivery, Settlement][] = [];
    const [first, second] = [ownerOf(settled), ownerOf(settled)];
    const delivery = new MessageRun([MESSAGE], 0, 1).deliver(first, 7);
    expect([delivery.ticket, delivery.signal, delivery.draining]).toEqual([
      7,
      first.signal,
      first.draining,
    ]);
    const again = delivery.again(second, 8);
    expect([again.ticket, again.signal]).toEqual([8, second.signal]);
    again.settle(ACK);
    expect(settled).toEqual([[again, ACK]]);
  });
});
