import { createEventBus } from "@bus/core";
import type { EventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker } from "@bus/memory";
import { checkLedger, createLedger, until } from "@bus/testkit";
import type { Ledger, LedgerRun } from "@bus/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AggregateApi } from "../src/aggregate-plugin.ts";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Orders, turns } from "./support/orders.ts";

type Step =
  | { readonly kind: "publish"; readonly ids: readonly number[] }
  | { readonly kind: "flip"; readonly member: number }
  | { readonly kind: "join" }
  | { readonly kind: "leave"; readonly member: number }
  | { readonly kind: "crash"; readonly member: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      ids: fc.array(fc.oneof(fc.constant(0), fc.nat(15)), {
        minLength: 5,
        maxLength: 40,
        size: "max",
      }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("flip" as const), member: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("join" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), member: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), member: fc.nat(9) }) },
);

/** A member of the group: what a process would be. */
interface Member {
  readonly clientId: string;
  readonly bus: EventBus & AggregateApi;
  readonly runs: Set<LedgerRun>;
  alive: boolean;
}

/** Several members of one group over one broker, and the books of all of them. */
class Group {
  readonly ledger: Ledger = createLedger();
  readonly broker: MemoryBroker = memoryBroker({ partitions: 4 });
  readonly members: Member[] = [];
  crashes = 0;
  /** Changes of the membership: what was handled ahead of something given back comes again after each. */
  changes = 0;
  #joined = 0;
  readonly #sequences = new Map<string, number>();
  readonly #writer = createEventBus({ transport: memory({ broker: this.broker }) });

  async open(): Promise<void> {
    await this.#writer.start();
    await this.join();
  }

  async join(): Promise<void> {
    const clientId = `member-${++this.#joined}`;
    const transport = memory({
      broker: this.broker,
      clientId,
      sessionTimeoutMs: 20,
      maxInFlightMessages: 60,
    });
    const plugin = aggregate({ concurrency: 6, maxLanes: 6, mailboxSize: 3, idleTimeoutMs: 1 });
    const member: Member = {
      clientId,
      bus: createEventBus({ group: "g", transport, plugins: [plugin] }),
      runs: new Set(),
      alive: true,
    };
    await member.bus.subscribeWithAggregateId(Orders, ({ value }, { attempt }) =>
      this.#handle(member, value, attempt),
    );
    this.members.push(member);
    if (this.members.length > 1) this.changes++;
    await member.bus.start();
  }

  async publish(ids: readonly number[]): Promise<void> {
    const values = ids.map((number) => {
      const id = `id-${number}`;
      const sequence = this.#sequences.get(id) ?? 0;
      this.#sequences.set(id, sequence + 1);
      this.ledger.published({ topic: "orders", key: id, sequence });
      return { id, sequence };
    });
    await this.#writer.publishMany(Orders, values);
  }

  async leave(index: number): Promise<void> {
    const member = this.#take(index);
    await member?.bus.close();
  }

  /** The process is gone: its handlers are heard of no more, nothing of it is committed. */
  crash(index: number): void {
    const member = this.#take(index);
    if (member === undefined) return;
    this.crashes++;
    member.alive = false;
    for (const run of member.runs) run.failed();
    member.runs.clear();
    this.broker.faults.crash(member.clientId);
  }

  async close(): Promise<void> {
    for (const { bus } of this.members) await bus.close();
    await this.#writer.close();
  }

  /** Take a member out, unless it is the last. */
  #take(index: number): Member | undefined {
    if (this.members.length < 2) return undefined;
    this.changes++;
    return this.members.splice(index % this.members.length, 1)[0];
  }

  async #handle(
    member: Member,
    { id, sequence }: { id: string; sequence: number },
    attempt: number,
  ): Promise<void> {
    if (!member.alive) return;
    const run = this.ledger.handling({ topic: "orders", key: id, sequence });
    member.runs.add(run);
    await turns(sequence % 4);
    if (!member.runs.delete(run)) return;
    const fails = attempt === 1 && sequence % 29 === 7;
    if (fails) run.failed();
    else run.done();
    if (fails) throw new Error("fails once");
  }
}

async function perform(group: Group, action: Step): Promise<void> {
  switch (action.kind) {
    case "publish":
      return group.publish(action.ids);
    case "flip": {
      const { bus } = group.members[action.member % group.members.length] ?? {};
      bus?.setRecoveryMode(!bus.isInRecoveryMode());
      return turns(1);
    }
    case "join":
      return group.members.length < 4 ? group.join() : undefined;
    case "leave":
      return group.leave(action.member);
    case "crash":
      return group.crash(action.member);
  }
}

test("members that join, leave and crash, and modes that flip, lose nothing and keep every aggregate in order", async () => {
  let crashes = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
      async (steps) => {
        const group = new Group();
        await group.open();
        for (const action of steps) await perform(group, action);
        await until(() => group.ledger.outstanding === 0, {
          timeoutMs: 20_000,
          what: "every message",
          state: () => ({
            outstanding: group.ledger.outstanding,
            lanes: group.members.map(({ bus }) => bus.lanes()),
          }),
        });
        await group.close();
        crashes += group.crashes;
        const verdict = await group.ledger.verdict();
        checkLedger(verdict, { maxDuplicates: verdict.published * group.changes });
      },
    ),
    { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 8), endOnFailure: true },
  );
  expect(crashes).toBeGreaterThan(0);
}, 120_000);
