import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeDelivery } from "../test/fake-records.ts";
import { DeliveryRing } from "./delivery-ring.ts";
import { Ownership } from "./ownership.ts";

const owner = new Ownership(() => undefined);

function delivery(ticket: number): FakeDelivery {
  return new FakeDelivery(owner, { offset: ticket, sizeBytes: 1, ticket });
}

test("the oldest delivery is the one with the lowest ticket that is still there, whatever the order of removals", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 }), { maxLength: 400 }), (steps) => {
      const ring = new DeliveryRing();
      const model = new Map<number, number>();
      let next = 0;
      for (const [index, step] of steps.entries()) {
        if (step < 2) {
          ring.add(next, delivery(next), index);
          model.set(next, index);
          next += 1;
        } else {
          const victim = [...model.keys()][index % Math.max(model.size, 1)];
          if (victim !== undefined) ring.remove(victim);
          if (victim !== undefined) model.delete(victim);
        }
        const lowest = model.size === 0 ? undefined : Math.min(...model.keys());
        const oldest = ring.oldest();
        expect(oldest?.delivery.ticket).toBe(lowest);
        expect(oldest?.deliveredAtMs).toBe(lowest === undefined ? undefined : model.get(lowest));
      }
    }),
  );
});

test("a delivery that is made again takes the place of the one before", () => {
  const ring = new DeliveryRing();
  ring.add(3, delivery(3), 10);
  ring.add(4, delivery(4), 11);
  ring.add(3, delivery(3), 20);
  expect(ring.oldest()?.deliveredAtMs).toBe(20);
  ring.remove(3);
  expect(ring.oldest()?.delivery.ticket).toBe(4);
  ring.remove(99);
  ring.remove(4);
  expect(ring.oldest()).toBeUndefined();
});
