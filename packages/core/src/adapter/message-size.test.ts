import { expect, test } from "vitest";
import { messageSizeBytes } from "./message-size.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length);

test("key, value, header names and header values count", () => {
  const headers = [
    ["trace", bytes(16)],
    ["trace", bytes(4)],
  ] as const;
  expect(messageSizeBytes({ key: bytes(3), value: bytes(100), headers })).toBe(
    3 + 100 + 5 + 16 + 5 + 4,
  );
});

test("a tombstone without a key weighs nothing", () => {
  expect(messageSizeBytes({ key: null, value: null, headers: [] })).toBe(0);
});

test("header names count in UTF-8 bytes, not in characters", () => {
  expect(messageSizeBytes({ key: null, value: null, headers: [["größe🙂", bytes(0)]] })).toBe(11);
});
