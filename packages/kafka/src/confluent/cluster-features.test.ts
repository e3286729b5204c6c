import { describe, expect, it } from "vitest";
import { GROUP_VERSION, parseFeatures } from "./cluster-features.ts";

function text(value: string): readonly number[] {
  return [value.length + 1, ...Buffer.from(value)];
}

/** An answer with two requests and these tagged fields. */
function answer(tags: readonly (readonly [tag: number, data: readonly number[]])[]): Buffer {
  const requests = [3, 0, 18, 0, 0, 0, 4, 0, 0, 68, 0, 0, 0, 1, 0];
  const fields = tags.flatMap(([tag, data]) => [tag, data.length, ...data]);
  return Buffer.from([0, 0, 0, 0, 0, 0, ...requests, 0, 0, 0, 0, tags.length, ...fields]);
}

const EPOCH = [1, [0, 0, 0, 0, 0, 0, 0, 9]] as const;

describe("parseFeatures", () => {
  it("finds the levels that the cluster uses, among other fields", () => {
    const features = [3, ...text(GROUP_VERSION), 0, 1, 0, 1, 0, ...text("x"), 0, 7, 0, 0, 0];
    const found = parseFeatures(answer([[0, [1]], EPOCH, [2, features]]));
    expect([...found]).toEqual([
      [GROUP_VERSION, 1],
      ["x", 7],
    ]);
  });

  it("finds none where there are none", () => {
    expect(parseFeatures(answer([]))).toEqual(new Map());
    expect(parseFeatures(answer([EPOCH]))).toEqual(new Map());
  });

  it("throws at an answer that ends too soon", () => {
    const whole = answer([[2, [2, ...text("x"), 0, 7, 0, 0, 0]]]);
    for (const length of [3, 10, 20, whole.length - 3])
      expect(() => parseFeatures(whole.subarray(0, length))).toThrow(RangeError);
  });
});
