import { describe, expect, it } from "vitest";
import { CONSUMER_GROUP_HEARTBEAT, parseApis } from "./api-versions.ts";

function answer(apis: readonly number[]): Buffer {
  const bytes = Buffer.alloc(10 + apis.length * 6);
  bytes.writeInt32BE(apis.length, 6);
  for (const [index, api] of apis.entries()) bytes.writeInt16BE(api, 10 + index * 6);
  return bytes;
}

describe("parseApis", () => {
  it("finds the requests that a broker knows", () => {
    expect(parseApis(answer([0, 1, 68]))).toEqual(new Set([0, 1, CONSUMER_GROUP_HEARTBEAT]));
    expect(parseApis(answer([]))).toEqual(new Set());
  });

  it("throws at an answer that ends too soon", () => {
    expect(() => parseApis(answer([0, 1]).subarray(0, 12))).toThrow(RangeError);
  });
});
