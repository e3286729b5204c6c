import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HeaderNames } from "./header-names.ts";

test("a name reads the same whether it was seen before or not", () => {
  const names = fc.array(
    fc.oneof(
      fc.constantFrom("type", "source", "trace", "tracf", "ty"),
      fc.string({ maxLength: 70, unit: "grapheme" }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(names, (written) => {
      const seen = new HeaderNames();
      for (const name of written) {
        const bytes = Buffer.from(`[${name}]`);
        expect(seen.read(bytes, 1, bytes.length - 2)).toBe(
          bytes.toString("utf8", 1, bytes.length - 1),
        );
      }
    }),
  );
});

test("a name that was kept does not change with the bytes it was read from", () => {
  const seen = new HeaderNames();
  const bytes = Buffer.from("type");
  seen.read(bytes, 0, 4);
  bytes.write("tyre");
  expect(seen.read(bytes, 0, 4)).toBe("tyre");
  expect(seen.read(Buffer.from("type"), 0, 4)).toBe("type");
});
