import fc from "fast-check";
import { expect, test } from "vitest";
import { addressRewriter } from "./process-proxy.ts";

function address(port: number): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.write("127.0.0.1");
  bytes.writeInt32BE(port, 9);
  return bytes;
}

/** An answer with its length in front. */
function answer(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

test("an answer is passed on whole, although it ends as an address begins", () => {
  const rewrite = addressRewriter(9_092, 0x31_31);
  const out = rewrite(answer(address(9_092)));
  expect(out).toEqual(answer(address(0x31_31)));
  expect(rewrite(answer(Buffer.from("127.0")))).toEqual(answer(Buffer.from("127.0")));
});

test("an address is replaced wherever a stream is cut, and everything else is left alone", () => {
  const part = fc.oneof(
    fc.constant(address(9_092)),
    fc.constant(address(9_093)),
    fc.constant(Buffer.from("127.0.0.")),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(
      fc.array(part),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (parts, cuts) => {
        const stream = answer(Buffer.concat(parts));
        const rewrite = addressRewriter(9_092, 5_555);
        const out: Buffer[] = [];
        for (let at = 0, cut = 0; at < stream.length; cut += 1) {
          const length = cuts[cut % cuts.length] ?? 1;
          out.push(Buffer.from(rewrite(Buffer.from(stream.subarray(at, at + length)))));
          at += length;
        }
        const expected = stream
          .toString("latin1")
          .replaceAll(address(9_092).toString("latin1"), address(5_555).toString("latin1"));
        expect(Buffer.concat(out).toString("latin1")).toBe(expected);
      },
    ),
  );
});
