import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "@bus/core";
import type { OutgoingMessage, PublishReceipt } from "@bus/core";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";

import { NATS_DEFAULTS } from "../nats-defaults.ts";
import { PublishPipeline } from "./publish-pipeline.ts";
import type { OutgoingFrame, PublishAnswers, PublishPort } from "./publish-port.ts";

/** What becomes of the next transmission on its way. */
type Fate = "stored" | "lost" | "noResponders" | "answerLost" | "full";

interface Transmission {
  readonly ticket: number;
  readonly id: string;
  readonly isQuestion: boolean;
  readonly number: number;
}

/**
 * A stream behind a connection that keeps the order of what it carries and may lose any of it: what NATS promises of one
 * connection and one subject, and no more.
 */
class ScriptedStream implements PublishPort {
  readonly maxPayloadBytes = 1_000;
  /** Numbers of messages, as stored; the index is the sequence − 1. */
  readonly stored: number[] = [];
  readonly #sequences = new Map<string, number>();
  #way: Transmission[] = [];
  #answers: (() => void)[] = [];
  #listener: PublishAnswers | undefined;
  #isUp = true;

  listen(answers: PublishAnswers): void {
    this.#listener = answers;
  }

  send({ ticket, headerBlock, payload }: OutgoingFrame): void {
    if (!this.#isUp) throw new Error("not connected");
    const text = Buffer.from(headerBlock).toString("latin1");
    this.#way.push({
      ticket,
      id: /Nats-Msg-Id: (\S+)/.exec(text)?.[1] ?? "",
      isQuestion: text.includes("Nats-Rollup"),
      number: Number(Buffer.from(payload).toString() || -1),
    });
  }

  close(): void {
    this.#listener = undefined;
  }

  arrive(fate: Fate): void {
    const transmission = this.#way.shift();
    if (transmission === undefined || fate === "lost") return;
    const { ticket } = transmission;
    if (fate === "noResponders") {
      this.#answers.push(() => this.#listener?.noResponders(ticket));
      return;
    }
    const answer = Buffer.from(JSON.stringify(this.#process(transmission, fate)));
    if (fate === "answerLost") return;
    this.#answers.push(() => this.#listener?.answered(ticket, answer));
  }

  answer(): void {
    this.#answers.shift()?.();
  }

  /** Some of what is on its way arrives, the rest and all answers are lost. */
  disconnect(arriving: number): void {
    this.#isUp = false;
    for (let count = 0; count < arriving; count += 1) this.arrive("stored");
    this.#way = [];
    this.#answers = [];
  }

  reconnect(): void {
    this.#isUp = true;
  }

  #process({ id, isQuestion, number }: Transmission, fate: Fate): object {
    const known = this.#sequences.get(id);
    if (known !== undefined) return { stream: "s", seq: known, duplicate: true };
    if (isQuestion)
      return { error: { code: 400, err_code: 10_111, description: "rollup not permitted" } };
    if (fate === "full")
      return { error: { code: 503, err_code: 10_077, description: "maximum bytes exceeded" } };
    this.stored.push(number);
    this.#sequences.set(id, this.stored.length);
    return { stream: "s", seq: this.stored.length };
  }
}

type Step =
  | { readonly kind: "publish"; readonly key: string | null; readonly count: number }
  | { readonly kind: "arrive"; readonly fate: Fate; readonly count: number }
  | { readonly kind: "answer"; readonly count: number }
  | { readonly kind: "disconnect"; readonly arriving: number }
  | { readonly kind: "reconnect" }
  | { readonly kind: "wait"; readonly ms: number };

const count = fc.integer({ min: 1, max: 6 });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("publish" as const),
        key: fc.constantFrom("a", "b", null),
        count,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("arrive" as const),
        fate: fc.constantFrom<Fate>(
          "stored",
          "stored",
          "lost",
          "noResponders",
          "answerLost",
          "full",
        ),
        count,
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("answer" as const), count }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("disconnect" as const),
        arriving: fc.integer({ min: 0, max: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "reconnect" as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("wait" as const),
        ms: fc.constantFrom(50, 200, 1_000, 5_000),
      }),
    },
  ),
  { maxLength: 80 },
);

interface Published {
  readonly number: number;
  readonly key: string | null;
  outcome: PublishReceipt | BusError | undefined;
}

class Run {
  readonly clock: ManualClock = manualClock();
  readonly stream: ScriptedStream = new ScriptedStream();
  readonly published: Published[] = [];
  readonly pipeline: PublishPipeline;

  constructor() {
    this.pipeline = new PublishPipeline({
      port: this.stream,
      clock: this.clock,
      random: () => 0.5,
      options: { ...NATS_DEFAULTS.publish, window: 8, timeoutMs: 30_000 },
      route: ({ topic }) => ({ subject: topic, partition: 0 }),
      idPrefix: "run-",
    });
  }

  apply(step: Step): void {
    switch (step.kind) {
      case "publish":
        for (let index = 0; index < step.count; index += 1) this.#publish(step.key);
        return;
      case "arrive":
        for (let index = 0; index < step.count; index += 1) this.stream.arrive(step.fate);
        return;
      case "answer":
        for (let index = 0; index < step.count; index += 1) this.stream.answer();
        return;
      case "disconnect":
        this.stream.disconnect(step.arriving);
        return this.pipeline.disconnected();
      case "reconnect":
        this.stream.reconnect();
        return this.pipeline.reconnected();
      case "wait":
        return this.clock.advance(step.ms);
    }
  }

  /** Everything works from now on. */
  async heal(): Promise<void> {
    this.stream.reconnect();
    this.pipeline.reconnected();
    for (let round = 0; round < 400 && this.pipeline.stats.pendingMessages > 0; round += 1) {
      for (let index = 0; index < 16; index += 1) this.stream.arrive("stored");
      for (let index = 0; index < 16; index += 1) this.stream.answer();
      this.clock.advance(100);
    }
    await this.clock.advanceAsync(0);
  }

  #publish(key: string | null): void {
    const number = this.published.length;
    const published: Published = { number, key, outcome: undefined };
    this.published.push(published);
    const message: OutgoingMessage = {
      topic: "t",
      key: key === null ? null : Buffer.from(key),
      value: Buffer.from(String(number)),
      headers: [],
    };
    void this.pipeline.publish([message]).then(
      ([receipt]) => void (published.outcome = receipt),
      (error: BusError) => void (published.outcome = error),
    );
  }
}

/** Whether an outcome fits where the stream has the message, 0 for nowhere. */
function says(outcome: PublishReceipt | BusError, sequence: number): string {
  if (!(outcome instanceof BusError))
    return outcome.offset === BigInt(sequence) ? "the truth" : `stored at ${outcome.offset}`;
  if (outcome.code === "BUS_PUBLISH_FAILED" && sequence === 0) return "the truth";
  return outcome.code === "BUS_OUTCOME_UNKNOWN"
    ? "the truth"
    : `${outcome.code}, it is at ${sequence}`;
}

test("whatever is lost on its way, every message has the outcome it says, once, and keys keep their order", async () => {
  let ordinary = 0;
  let overtaken = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const run = new Run();
      for (const step of script) run.apply(step);
      await run.heal();
      const { stored } = run.stream;
      expect(new Set(stored).size).toBe(stored.length);
      for (const { number, outcome } of run.published) {
        if (outcome === undefined) throw new Error(`message ${number} has no outcome`);
        const sequence = stored.indexOf(number) + 1;
        expect([number, says(outcome, sequence)]).toEqual([number, "the truth"]);
        if (!(outcome instanceof BusError)) ordinary += 1;
        else if (outcome.details["reason"] === "overtaken") overtaken += 1;
      }
      for (const key of ["a", "b"]) {
        const ofKey = stored.filter((number) => run.published[number]?.key === key);
        expect(ofKey).toEqual(ofKey.toSorted((left, right) => left - right));
      }
    }),
    { numRuns: 2_000 },
  );
  // The scripts are worth nothing when they do not come to the corner that the lanes are made for.
  expect(ordinary).toBeGreaterThan(1_000);
  expect(overtaken).toBeGreaterThan(50);
}, 60_000);
