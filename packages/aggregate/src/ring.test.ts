import fc from "fast-check";
import { expect, test } from "vitest";
import { Ring } from "./ring.ts";

test("a ring gives back what it was given, first in, first out", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 600, size: "max" }), (pushes) => {
      const ring = new Ring<{ readonly id: number }>();
      const model: { readonly id: number }[] = [];
      for (const [id, push] of pushes.entries()) {
        const taken = push ? undefined : { ring: ring.shift(), model: model.shift() };
        if (push) {
          const item = { id };
          ring.push(item);
          model.push(item);
        }
        expect(taken?.ring).toBe(taken?.model);
        expect(ring.size).toBe(model.length);
      }
      expect([...ring]).toEqual(model);
    }),
    { numRuns: 50 },
  );
});

test("a ring that was emptied after a burst works on", () => {
  const ring = new Ring<{ readonly id: number }>();
  for (let id = 0; id < 10_000; id++) ring.push({ id });
  for (let id = 0; id < 10_000; id++) expect(ring.shift()?.id).toBe(id);
  expect(ring.shift()).toBeUndefined();
  ring.push({ id: 1 });
  expect(ring.shift()?.id).toBe(1);
});
