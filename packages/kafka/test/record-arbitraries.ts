import * as fc from "fast-check";
import type { HeaderList } from "@bus/core";
import type { WritableRecord } from "../src/kafkajs/record-batch-writer.ts";
import type { ReferenceMessage, ReferenceRecord } from "./kafkajs-reference.ts";

/** Any bytes, short and long enough for varints of two and three bytes. */
export const bytes: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 200 }) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(9000).fill(0x5a)) },
  )
  .map((array) => Buffer.from(array));

const nullableBytes = fc.option(bytes, { nil: null });

/**
 * Header names that kafkajs can hold in the properties of an object: no names that objects have already, no numbers
 * (which objects reorder).
 */
const clientHeaderName = fc
  .tuple(fc.constantFrom("h", "é", "名"), fc.string({ maxLength: 20, unit: "grapheme" }))
  .map(([first, rest]) => first + rest);

/** Records as kafkajs' encoder takes them, with offsets and times that go forth and back. */
export const referenceRecords: fc.Arbitrary<ReferenceRecord[]> = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })),
      timestampDelta: fc.oneof(
        fc.integer({ min: -100, max: 100_000 }),
        fc.integer({ min: -1_700_000_000_000, max: 1_700_000_000_000 }),
      ),
      key: nullableBytes,
      value: nullableBytes,
      headers: fc.dictionary(
        clientHeaderName,
        fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })),
        { maxKeys: 4, noNullPrototype: true },
      ),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((drafts) => {
    let offsetDelta = -1;
    return drafts.map(({ gap, ...draft }) => ({ ...draft, offsetDelta: (offsetDelta += gap) }));
  });

/** Records as our writer takes them: any header names, repeated in any order. */
export const writableRecords: fc.Arbitrary<WritableRecord[]> = fc.array(
  fc.record({
    key: nullableBytes,
    value: nullableBytes,
    headers: fc.array(
      fc.tuple(
        fc.oneof(clientHeaderName, fc.constantFrom("a", "b", "toString", "__proto__", "")),
        bytes,
      ),
      { maxLength: 6 },
    ),
    timestampMs: fc.oneof(
      fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }),
      fc.integer({ min: -1, max: 8_640_000_000_000_000 }),
    ),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Headers in the shape of kafkajs' decoder: repeated names become arrays, in the order of their first appearance. */
export function groupHeaders(headers: HeaderList): ReferenceMessage["headers"] {
  const grouped: Record<string, Buffer | Buffer[]> = {};
  for (const [name, value] of headers) {
    const before = grouped[name];
    const bytesOfValue = Buffer.from(value);
    if (before === undefined) grouped[name] = bytesOfValue;
    else grouped[name] = Array.isArray(before) ? [...before, bytesOfValue] : [before, bytesOfValue];
  }
  return grouped;
}
