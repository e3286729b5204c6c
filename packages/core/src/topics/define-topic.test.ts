import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createDecoder } from "../consume/decode-message.ts";
import { encodeMessage } from "../publish/encode-message.ts";
import { fakeDelivery } from "../../test/fake-delivery.ts";
import { bytesTopic, defineTopic } from "./define-topic.ts";
import { textCodec } from "./codecs.ts";

const decoder = new TextDecoder();

describe("defineTopic", () => {
  it("rejects names that no broker accepts, with the value", () => {
    for (const name of ["", "a b", "ü", ".", "..", "x".repeat(250)]) {
      expect(() => defineTopic(name)).toThrowError(/topic name must be 1 to 249/);
    }
    expect(defineTopic("a.b_c-D9").name).toBe("a.b_c-D9");
  });
});

describe("a value becomes a message", () => {
  const orders = defineTopic<{ id: string }>("orders", { key: ({ id }) => id });

  it("with JSON, the topic's key rule and headers in order, duplicates kept", async () => {
    const message = await encodeMessage(
      orders,
      { id: "ä1" },
      {
        headers: [
          ["a", "1"],
          ["a", new Uint8Array([2])],
        ],
      },
    );
    expect(decoder.decode(message.value ?? undefined)).toBe('{"id":"ä1"}');
    expect(decoder.decode(message.key ?? undefined)).toBe("ä1");
    expect(message.headers.map(([name, value]) => [name, [...value]])).toEqual([
      ["a", [49]],
      ["a", [2]],
    ]);
  });

  it("with the caller's key, partition and time instead of the rule's", async () => {
    const message = await encodeMessage(
      orders,
      { id: "1" },
      { key: null, partition: 3, timestampMs: 5 },
    );
    expect(message).toMatchObject({ key: null, partition: 3, timestampMs: 5 });
  });

  it("as a tombstone only where the topic says so", async () => {
    const compacted = defineTopic<{ id: string }>("compacted", { tombstones: true });
    expect(await encodeMessage(compacted, null, { key: "k" })).toMatchObject({ value: null });
    expect((await encodeMessage(defineTopic<null>("plain"), null, {})).value).toEqual(
      new TextEncoder().encode("null"),
    );
  });

  const invalid: readonly (readonly [string, () => unknown, string])[] = [
    [
      "a value without JSON form",
      () => encodeMessage(defineTopic<unknown>("t"), undefined, {}),
      "BUS_ENCODE",
    ],
    [
      "a codec that throws",
      () =>
        encodeMessage(
          defineTopic("t", {
            codec: {
              encode() {
                throw new Error("x");
              },
              decode: () => 1,
            },
          }),
          1,
          {},
        ),
      "BUS_ENCODE",
    ],
    [
      "a key rule that throws",
      () =>
        encodeMessage(
          defineTopic<null>("t", {
            key() {
              throw new Error("x");
            },
          }),
          null,
          {},
        ),
      "BUS_ENCODE",
    ],
    [
      "a codec that returns text",
      () =>
        encodeMessage(
          defineTopic("t", { codec: { encode: () => "x" as never, decode: () => 1 } }),
          1,
          {},
        ),
      "BUS_INVALID_MESSAGE",
    ],
    [
      "a key of a wrong type",
      () => encodeMessage(orders, { id: "1" }, { key: 5 as never }),
      "BUS_INVALID_MESSAGE",
    ],
    [
      "a header of a wrong type",
      () => encodeMessage(orders, { id: "1" }, { headers: { a: 5 as never } }),
      "BUS_INVALID_MESSAGE",
    ],
    [
      "an empty header name",
      () => encodeMessage(orders, { id: "1" }, { headers: { "": "x" } }),
      "BUS_INVALID_MESSAGE",
    ],
    [
      "a negative partition",
      () => encodeMessage(orders, { id: "1" }, { partition: -1 }),
      "BUS_INVALID_MESSAGE",
    ],
    [
      "bytes that are not bytes",
      () => encodeMessage(bytesTopic("t"), "text" as never, {}),
      "BUS_ENCODE",
    ],
    [
      "a value against the schema",
      () =>
        encodeMessage(
          defineTopic("t", { schema: z.object({ n: z.number() }) }),
          { n: "x" as never },
          {},
        ),
      "BUS_SCHEMA",
    ],
  ];
  for (const [name, encode, code] of invalid) {
    it(`never: ${name} is ${code}`, () => {
      expect(encode).toThrowError(expect.objectContaining({ code }));
    });
  }
});

describe("a message becomes a value", () => {
  it("checked and transformed by the schema", async () => {
    const topic = defineTopic("t", { schema: z.object({ at: z.coerce.date() }) });
    const message = await createDecoder(topic)(
      fakeDelivery({ value: '{"at":"2001-01-01T00:00:00Z"}' }),
    );
    expect(message.value).toEqual({ at: new Date("2001-01-01T00:00:00Z") });
  });

  it("checked by an asynchronous schema", async () => {
    const topic = defineTopic("t", { schema: z.number().refine(async (value) => value > 1) });
    await expect(createDecoder(topic)(fakeDelivery({ value: "2" }))).resolves.toMatchObject({
      value: 2,
    });
    await expect(createDecoder(topic)(fakeDelivery({ value: "1" }))).rejects.toMatchObject({
      code: "BUS_SCHEMA",
    });
  });

  it("with issues as path and message when the schema says no", () => {
    const topic = defineTopic("t", { schema: z.object({ a: z.object({ b: z.string() }) }) });
    expect(() => createDecoder(topic)(fakeDelivery({ value: '{"a":{"b":1}}' }))).toThrowError(
      expect.objectContaining({
        code: "BUS_SCHEMA",
        details: { topic: "t", issues: [expect.objectContaining({ path: "a.b" })] },
      }),
    );
  });

  it("never from malformed UTF-8, broken JSON or an unexpected tombstone", () => {
    const malformed = { ...fakeDelivery(), value: new Uint8Array([0xff, 0xfe]) };
    expect(() => createDecoder(defineTopic("t"))(malformed)).toThrowError(
      expect.objectContaining({ code: "BUS_DECODE" }),
    );
    expect(() => createDecoder(defineTopic("t", { codec: textCodec() }))(malformed)).toThrowError(
      expect.objectContaining({ code: "BUS_DECODE" }),
    );
    expect(() => createDecoder(defineTopic("t"))(fakeDelivery({ value: "{" }))).toThrowError(
      expect.objectContaining({ code: "BUS_DECODE" }),
    );
    expect(() => createDecoder(defineTopic("t"))(fakeDelivery({ value: null }))).toThrowError(
      /orders\/0@0 is a tombstone/,
    );
  });

  it("reads key and headers through to the delivery", async () => {
    const headers = [["h", new Uint8Array([1])]] as const;
    const message = await createDecoder(bytesTopic("t"))({
      ...fakeDelivery({ headers }),
      key: new TextEncoder().encode("ké"),
    });
    expect([message.key, message.headers]).toEqual(["ké", headers]);
  });
});
