import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { referenceCrc32c } from "../../test/kafkajs-reference.ts";
import { crc32c } from "./crc32c.ts";

describe("crc32c", () => {
  // RFC 3720, appendix B.4.
  test.each([
    ["32 bytes of zeroes", Buffer.alloc(32), 0x8a9136aa],
    ["32 bytes of ones", Buffer.alloc(32, 0xff), 0x62a8ab43],
    ["32 incrementing bytes", Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    [
      "32 decrementing bytes",
      Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)),
      0x113fdb5c,
    ],
  ])("gives the checksum of the standard for %s", (_name, bytes, checksum) => {
    expect(crc32c(bytes)).toBe(checksum);
  });

  test("gives 0xe3069283 for the digits 1 to 9", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  });

  test("gives 0 for no bytes", () => {
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });

  test("agrees with a byte-wise implementation on any range of any bytes", () => {
    const range = fc
      .uint8Array({ minLength: 0, maxLength: 300 })
      .chain((array) =>
        fc.tuple(
          fc.constant(Buffer.from(array)),
          fc.nat({ max: array.length }),
          fc.nat({ max: array.length }),
        ),
      );
    fc.assert(
      fc.property(range, ([bytes, one, other]) => {
        const [from, to] = one < other ? [one, other] : [other, one];
        expect(crc32c(bytes, from, to)).toBe(referenceCrc32c(bytes.subarray(from, to)));
      }),
    );
  });

  test("reads a view that does not begin where its memory begins", () => {
    const memory = Buffer.alloc(100, 7);
    Buffer.from("123456789").copy(memory, 33);
    expect(crc32c(memory.subarray(33, 42))).toBe(0xe3069283);
  });
});
