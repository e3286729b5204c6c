import fc from "fast-check";
import { expect, it } from "vitest";
import type { HandlerSlot } from "../contracts/scheduler.ts";
import { fakeDelivery, settled } from "../../test/fake-delivery.ts";
import { UnorderedScheduler } from "./unordered-scheduler.ts";

type Step =
  | { readonly kind: "schedule" }
  | {
      readonly kind: "end" | "giveBack" | "takeAgain" | "abort";
      /** Which of the runs that the step fits. */
      readonly which: number;
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "schedule" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("end", "giveBack", "takeAgain", "abort"),
      which: fc.nat(50),
    }),
  },
);

type RunState = "running" | "away" | "returning" | "ended";

/** A run of the world: what a failure chain would do with its slot, one step at a time. */
class Run {
  state: RunState = "running";
  readonly #slot: HandlerSlot;
  readonly #ownership = new AbortController();
  readonly #resolve: () => void;

  constructor(slot: HandlerSlot, resolve: () => void) {
    this.#slot = slot;
    this.#resolve = resolve;
  }

  end(): void {
    this.state = "ended";
    this.#resolve();
  }

  giveBack(): void {
    this.state = "away";
    this.#slot.giveBack();
  }

  async takeAgain(): Promise<void> {
    this.state = "returning";
    if (await this.#slot.takeAgain(this.#ownership.signal)) this.state = "running";
    else this.end();
  }

  abort(): void {
    this.#ownership.abort();
    if (this.state === "away") this.end();
  }
}

class World {
  readonly runs: Run[] = [];
  scheduled = 0;
  readonly concurrency: number;
  readonly scheduler: UnorderedScheduler;

  constructor(concurrency: number) {
    this.concurrency = concurrency;
    this.scheduler = new UnorderedScheduler((_, slot) => {
      if (slot === undefined) throw new Error("a run got no slot");
      return new Promise((resolve) => void this.runs.push(new Run(slot, resolve)));
    }, concurrency);
  }

  in(...states: readonly RunState[]): readonly Run[] {
    return this.runs.filter(({ state }) => states.includes(state));
  }

  perform(action: Step): void {
    if (action.kind === "schedule") {
      this.scheduler.schedule(fakeDelivery({ offset: this.scheduled++ }));
      return;
    }
    const fitting = {
      end: this.in("running"),
      giveBack: this.in("running"),
      takeAgain: this.in("away"),
      abort: this.in("away", "returning"),
    }[action.kind];
    const run = fitting[action.which % Math.max(1, fitting.length)];
    if (action.kind === "takeAgain") void run?.takeAgain();
    else run?.[action.kind]();
  }
}

function checkSlots(world: World): void {
  const running = world.in("running").length;
  expect(running).toBeLessThanOrEqual(world.concurrency);
  const waiting = world.scheduled - world.runs.length + world.in("returning").length;
  // Nothing waits while a slot is free.
  expect(waiting === 0 || running === world.concurrency).toBe(true);
}

it("keeps to its concurrency, leaves no slot free while something waits, and loses no run, whoever gives slots back", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 80, size: "max" }),
      async (concurrency, steps) => {
        const world = new World(concurrency);
        for (const action of steps) {
          world.perform(action);
          await settled();
          checkSlots(world);
        }
        for (
          let turn = 0;
          turn < 100 && world.in("running", "away", "returning").length > 0;
          turn++
        ) {
          for (const run of world.in("away")) void run.takeAgain();
          await settled();
          for (const run of world.in("running")) run.end();
          await settled();
        }
        expect(world.runs.length).toBe(world.scheduled);
        await world.scheduler.drained();
      },
    ),
    { numRuns: 200 },
  );
}, 30_000);
