import fc from "fast-check";
import { expect, test } from "vitest";
import type { OutgoingMessage } from "@bus/core";

import {
  decodeHeaderBlock,
  encodeHeaderBlock,
  encodeQuestion,
  messageIdOf,
} from "./header-block.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const message = (parts: Partial<OutgoingMessage>): OutgoingMessage => ({
  topic: "orders",
  key: null,
  value: bytes("v"),
  headers: [],
  ...parts,
});
const text = (block: Uint8Array): string => Buffer.from(block).toString("latin1");

test("a block is what other NATS clients read: plain headers as they are, the id first", () => {
  const block = encodeHeaderBlock(
    message({ key: bytes("o-1"), headers: [["type", bytes("created, 100%")]] }),
    "id-1",
  );
  expect(text(block)).toBe(
    "NATS/1.0\r\nNats-Msg-Id: id-1\r\nBus-Key: o-1\r\ntype: created, 100%\r\n\r\n",
  );
});

test("any key and any list of headers comes back byte for byte, repeated names and order too", () => {
  const names = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.string({ minLength: 1, unit: "grapheme" }),
    fc.constantFrom("Bus-Key", "bus-escaped", "Nats-Rollup", "nats-expected-stream", "a b", "%41"),
  );
  const header = fc.tuple(names, fc.uint8Array({ maxLength: 20 }));
  const key = fc.option(fc.uint8Array({ maxLength: 20 }));
  fc.assert(
    fc.property(fc.array(header, { maxLength: 6 }), key, (headers, keyBytes) => {
      const block = encodeHeaderBlock(message({ key: keyBytes, headers }), "id");
      const decoded = decodeHeaderBlock(block);
      expect(decoded.headers.map(([name, value]) => [name, [...value]])).toEqual(
        headers.map(([name, value]) => [name, [...value]]),
      );
      expect(decoded.key === null ? null : [...decoded.key]).toEqual(
        keyBytes === null ? null : [...keyBytes],
      );
      const written = text(block)
        .split("\r\n")
        .slice(1)
        .map((line) => line.split(":")[0]);
      expect(written.filter((name) => /^nats-/i.test(name ?? ""))).toEqual(["Nats-Msg-Id"]);
    }),
  );
});

test("a tombstone and a time of the publisher's own are marked, and only then", () => {
  const marked = encodeHeaderBlock(message({ value: null, timestampMs: 1_700_000_000_123 }), "id");
  expect(decodeHeaderBlock(marked)).toMatchObject({
    isTombstone: true,
    timestampMs: 1_700_000_000_123,
    headers: [],
  });
  expect(decodeHeaderBlock(encodeHeaderBlock(message({}), "id"))).toMatchObject({
    isTombstone: false,
    timestampMs: undefined,
  });
});

test("an id of the user's own is the id, and is not handed on to consumers", () => {
  const own = message({
    headers: [
      ["Nats-Msg-Id", bytes("mine")],
      ["a", bytes("1")],
    ],
  });
  const block = encodeHeaderBlock(own, "ours");
  expect(text(block).match(/Nats-Msg-Id: (\S+)/g)).toEqual(["Nats-Msg-Id: mine"]);
  expect(messageIdOf(own, "ours")).toBe("mine");
  expect(decodeHeaderBlock(block).headers.map(([name]) => name)).toEqual(["a"]);
});

test("an id cannot smuggle a header in, and an empty one is none", () => {
  const smuggled = message({ headers: [["Nats-Msg-Id", bytes("x\r\nNats-Rollup: all")]] });
  const block = text(encodeHeaderBlock(smuggled, "ours"));
  expect(block).toBe("NATS/1.0\r\nNats-Msg-Id: x%0d%0aNats-Rollup%3a%20all\r\n\r\n");
  expect(messageIdOf(smuggled, "ours")).toBe("x%0d%0aNats-Rollup%3a%20all");
  const empty = message({ headers: [["Nats-Msg-Id", bytes("")]] });
  expect(text(encodeHeaderBlock(empty, "ours"))).toContain("Nats-Msg-Id: ours\r\n");
});

test("headers of other clients are read, with or without a space, after a line with a status", () => {
  const block = bytes("NATS/1.0 100 Idle\r\nA:1\r\nB: 2\r\nnot a header\r\n\r\n");
  expect(decodeHeaderBlock(block).headers.map(([name, value]) => [name, text(value)])).toEqual([
    ["A", "1"],
    ["B", "2"],
  ]);
});

test("a question names the id and something that no stream does", () => {
  expect(text(encodeQuestion("id-7"))).toBe(
    "NATS/1.0\r\nNats-Msg-Id: id-7\r\nNats-Rollup: none\r\n\r\n",
  );
});
