import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NatsDelivery } from "./nats-delivery.ts";
import { Ownership } from "./ownership.ts";
import { PartitionBooks } from "./partition-books.ts";

const owner = new Ownership({ topic: "t", partition: 0 }, () => undefined);

/** A delivery that the books have noted; its acknowledgement subject names incarnation and sequence. */
function delivered(books: PartitionBooks, sequence: number, incarnation = 0): NatsDelivery {
  const ticket = books.receive(sequence);
  const message = { subject: "t.0", reply: "", data: new Uint8Array(0), headerBytes: undefined };
  const ack = { deliveries: 1, streamSequence: sequence, consumerSequence: 1, timestampMs: 0 };
  const received = { message, ack, reply: `${incarnation}/${sequence}`, sizeBytes: 0 };
  const parts = { attempt: 1, ticket, incarnation, madeAtMs: 0 };
  const delivery = new NatsDelivery(owner, received, parts);
  books.handOver(delivery);
  return delivery;
}

describe("what may be acknowledged", () => {
  it("is always the last of the contiguous prefix of what settled, in any order and with any gaps", () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(gaps, fc.infiniteStream(fc.nat()), (steps, picks) => {
        const books = new PartitionBooks(10);
        let next = 9;
        const open = steps.map((step) => delivered(books, (next += step)));
        const sequences = open.map(({ sequence }) => sequence);
        const settled = new Set<number>();
        while (open.length > 0) {
          const [one] = open.splice((picks.next().value ?? 0) % open.length, 1);
          if (one === undefined) break;
          books.settle(one, 0);
          settled.add(one.sequence);
          const firstOpen = sequences.findIndex((sequence) => !settled.has(sequence));
          const prefix = firstOpen < 0 ? sequences : sequences.slice(0, firstOpen);
          const last = prefix.at(-1);
          expect(books.ackPoint).toEqual(
            last === undefined ? undefined : { reply: `0/${last}`, position: last + 1 },
          );
          expect(books.oldest()?.sequence).toBe(sequences[firstOpen]);
        }
        expect([...books.unacknowledged()]).toEqual([]);
      }),
    );
  });

  it("is said to the consumer as it is now: what came through a former one counts once it came again", () => {
    const books = new PartitionBooks(1);
    const deliveries = [1, 2, 3].map((sequence) => delivered(books, sequence));
    for (const delivery of deliveries.slice(0, 2)) books.settle(delivery, 1);
    expect(books.ackPoint).toBeUndefined();
    books.cameAgain(1, "1/1", 1);
    expect(books.ackPoint).toEqual({ reply: "1/1", position: 2 });
    books.cameAgain(2, "1/2", 1);
    expect(books.ackPoint).toEqual({ reply: "1/2", position: 3 });
    books.cameAgain(3, "1/3", 1);
    const [, , third] = deliveries;
    if (third !== undefined) books.settle(third, 1);
    expect(books.ackPoint).toEqual({ reply: "1/3", position: 4 });
  });
});

it("what was given back comes in order of the partition", () => {
  const books = new PartitionBooks(1);
  const deliveries = [5, 7, 9].map((sequence) => delivered(books, sequence));
  for (const delivery of deliveries.toReversed()) books.giveBack(delivery);
  books.sortReleased();
  const order: number[] = [];
  for (let next = books.firstReleased; next !== undefined; next = books.firstReleased) {
    order.push(next.sequence);
    books.dropFirstReleased();
  }
  expect(order).toEqual([5, 7, 9]);
});
