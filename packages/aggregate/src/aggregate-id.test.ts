import type { HeaderList, IncomingMessage } from "@bus/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { aggregateIdOf, createLaneKey } from "./aggregate-id.ts";
import type { AggregateIdSource } from "./aggregate-id.ts";

const HEADER = "aggregate-id";

function message(key: string | null, headers: HeaderList = []): IncomingMessage {
  return {
    topic: "orders",
    partition: 3,
    offset: 7n,
    timestampMs: 0,
    key: key === null ? null : Buffer.from(key),
    value: null,
    headers,
  };
}

function header(value: string): HeaderList {
  return [
    ["trace", Buffer.from("1")],
    [HEADER, Buffer.from(value)],
  ];
}

function byRule(sources: readonly AggregateIdSource[]): (incoming: IncomingMessage) => string {
  return createLaneKey("", undefined, { sources, header: HEADER });
}

test("the header wins over the key, in the order of the sources", () => {
  expect(byRule(["header", "key"])(message("k", header("h")))).toBe("h");
  expect(byRule(["key", "header"])(message("k", header("h")))).toBe("k");
  expect(byRule(["header", "key"])(message("k"))).toBe("k");
  expect(byRule(["header"])(message("k"))).toBe("");
});

test("an empty header falls through to the key, an empty key means none", () => {
  expect(byRule(["header", "key"])(message("k", header("")))).toBe("k");
  expect(byRule(["header", "key"])(message(""))).toBe("");
  expect(byRule(["header", "key"])(message(null))).toBe("");
});

test("headers are not read when only the key can have an id, or when it has one first", () => {
  const unread: IncomingMessage = {
    ...message("k"),
    get headers(): HeaderList {
      throw new Error("headers were decoded");
    },
  };
  expect(byRule(["key"])(unread)).toBe("k");
  expect(byRule(["key", "header"])(unread)).toBe("k");
});

test("an id is the same whether it comes as bytes or as text, and reads as it was written", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (id) => {
      const scoped = createLaneKey("7", () => id, { sources: ["key"], header: HEADER })(
        message(null),
      );
      const bare = byRule(["key"])(message(id));
      expect(createLaneKey("", () => id, { sources: ["key"], header: HEADER })(message(null))).toBe(
        bare,
      );
      const text = Buffer.from(id).toString();
      expect(aggregateIdOf(scoped)).toBe(text);
      expect(aggregateIdOf(bare)).toBe(text);
    }),
  );
});

test("keys of plain byte arrays are the keys of buffers", () => {
  const bytes = new Uint8Array([0, 200, 255, 65]);
  expect(byRule(["key"])({ ...message(null), key: bytes })).toBe(
    byRule(["key"])({ ...message(null), key: Buffer.from(bytes) }),
  );
});

test("ids of different scopes never meet, whatever they are", () => {
  const scoped = fc.record({
    scope: fc.constantFrom("", "1", "10", "a/b"),
    id: fc.string({ unit: "binary", minLength: 1 }),
  });
  const keyOf = ({ scope, id }: { readonly scope: string; readonly id: string }): string =>
    createLaneKey(scope, () => id, { sources: ["key"], header: HEADER })(message(null));
  fc.assert(
    fc.property(scoped, scoped, (one, other) => {
      fc.pre(one.scope !== other.scope);
      expect(keyOf(one)).not.toBe(keyOf(other));
    }),
  );
});

test.each([[undefined], [null], [""]])("an extractor that returns %j means none", (id) => {
  expect(createLaneKey("1", () => id, { sources: ["key"], header: HEADER })(message("k"))).toBe("");
});

test("an extractor that returns something else fails, naming what it returned", () => {
  const promised = createLaneKey("", (() => Promise.resolve("id")) as never, {
    sources: ["key"],
    header: HEADER,
  });
  expect(() => promised(message("k"))).toThrow(
    "aggregateIdExtractor must return a string, null or undefined, got object",
  );
});

test("an id is the same whether its bytes are a buffer or a view, short or long", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), fc.nat(9), (bytes, offset) => {
      const memory = new Uint8Array(offset + bytes.length);
      memory.set(bytes, offset);
      const laneKey = byRule(["key"]);
      const view: IncomingMessage = { ...message(null), key: memory.subarray(offset) };
      const buffer: IncomingMessage = { ...message(null), key: Buffer.from(bytes) };
      expect(laneKey(view)).toBe(Buffer.from(bytes).toString("latin1"));
      expect(laneKey(buffer)).toBe(laneKey(view));
    }),
  );
});
