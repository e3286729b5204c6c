import { expect, it } from "vitest";
import { copyBytes, copyMessage } from "./copy-bytes.ts";

it("a copy has the bytes and nothing else of the response they came in", () => {
  const response = Buffer.alloc(1_000_000, 7);
  const copy = copyBytes(response.subarray(10, 14));
  expect([copy.length, copy.buffer.byteLength, copy[0]]).toEqual([4, 4, 7]);
});

it("a copied message keeps everything, headers in order with duplicates", () => {
  const response = Buffer.from("keyvalueh1h2");
  const message = {
    topic: "t",
    partition: 1,
    offset: 2n,
    timestampMs: 3,
    key: response.subarray(0, 3),
    value: response.subarray(3, 8),
    headers: [
      ["h", response.subarray(8, 10)],
      ["h", response.subarray(10, 12)],
    ] as const,
  };
  const copy = copyMessage(message);
  response.fill(0);
  expect(new TextDecoder().decode(copy.value ?? undefined)).toBe("value");
  expect(copy.headers.map(([name, value]) => [name, new TextDecoder().decode(value)])).toEqual([
    ["h", "h1"],
    ["h", "h2"],
  ]);
  expect(copyMessage({ ...message, key: null, value: null })).toMatchObject({
    key: null,
    value: null,
    offset: 2n,
  });
});
