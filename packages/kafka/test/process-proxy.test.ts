import fc from "fast-check";
import { expect, test } from "vitest";
import { addressRewriter } from "./process-proxy.ts";

function address(port: number): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.write("127.0.0.1");
  bytes.writeInt32BE(port, 9);
  return bytes;
}

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
        const stream = Buffer.concat([...parts, Buffer.from("end")]);
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
