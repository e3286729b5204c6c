import { AssertionError } from "node:assert";
import { inspect } from "node:util";
import type { HeaderList, Topic } from "@bus/core";
import { systemClock } from "@bus/core/adapter";

/** What a probe has seen of one run of a message. */
export interface ProbedMessage<TValue> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number;
  readonly key: string | null;
  /** Bytes are copied, so that they stay what they were; a message that could not be decoded has its bytes here. */
  readonly value: TValue;
  readonly headers: HeaderList;
  /** The run that was seen, 1 for the first. */
  readonly attempt: number;
  /** What the handler threw; `undefined` when it succeeded. */
  readonly error: unknown;
}

/** Something that a probe has seen. */
export interface ProbeRecord {
  readonly kind: "handled" | "failed" | "deadLettered";
  readonly message: ProbedMessage<unknown>;
}

/** How long a probe waits. */
export interface ProbeWait {
  /** Real milliseconds, whatever clock the bus has. @defaultValue 5_000 */
  readonly timeoutMs?: number;
}

/** Which messages a probe waits for. */
export type ProbePredicate<TValue> = (message: ProbedMessage<TValue>) => boolean;

/** A record that somebody waits for. */
export interface ProbeQuery<TValue> {
  readonly kind: ProbeRecord["kind"];
  readonly topic: Topic<TValue, never> | string;
  /** @defaultValue every message of the topic */
  readonly predicate: ProbePredicate<TValue> | undefined;
  readonly options: ProbeWait | undefined;
}

interface Waiter {
  /** Whether it has got what it waits for. */
  look(): boolean;
}

const PROBE_TIMEOUT_MS = 5_000;
const KEPT = 10_000;
const SHOWN = 10;

/** Keeps what was seen and wakes who waits for it. */
export class ProbeRecords {
  readonly #seen: ProbeRecord[] = [];
  readonly #waiters = new Set<Waiter>();

  get seen(): readonly ProbeRecord[] {
    return this.#seen;
  }

  add(record: ProbeRecord): void {
    this.#seen.push(record);
    if (this.#seen.length > KEPT) this.#seen.shift();
    this.wake();
  }

  /** Let everybody look again. */
  wake(): void {
    for (const waiter of this.#waiters) if (waiter.look()) this.#waiters.delete(waiter);
  }

  /** The newest record of a message. */
  last(place: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
  }): ProbeRecord | undefined {
    return this.#seen.findLast(
      ({ message }) =>
        message.topic === place.topic &&
        message.partition === place.partition &&
        message.offset === place.offset,
    );
  }

  /** The first record that fits, now or later. */
  async first<TValue>({
    kind,
    topic,
    predicate,
    options,
  }: ProbeQuery<TValue>): Promise<ProbedMessage<TValue>> {
    const name = typeof topic === "string" ? topic : topic.name;
    const find = (): ProbedMessage<TValue> | undefined => {
      for (const record of this.#seen) {
        if (record.kind !== kind || record.message.topic !== name) continue;
        // The bus decodes every message of a topic with that topic's codec and schema, which is what TValue states.
        const message = record.message as ProbedMessage<TValue>;
        if (predicate === undefined || predicate(message)) return message;
      }
      return undefined;
    };
    return this.wait(
      find,
      options,
      () => `a message of ${name} to be ${WORDS[kind]}${this.#summary(name)}`,
    );
  }

  /** Wait until a look brings something. */
  wait<TResult>(
    find: () => TResult | undefined,
    options: ProbeWait | undefined,
    what: () => string,
  ): Promise<TResult> {
    const timeoutMs = options?.timeoutMs ?? PROBE_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const cancel = systemClock.schedule(() => {
        this.#waiters.delete(waiter);
        reject(
          new AssertionError({ message: `timed out after ${timeoutMs} ms waiting for ${what()}` }),
        );
      }, timeoutMs);
      const settle = (act: () => void): true => {
        cancel();
        act();
        return true;
      };
      const waiter: Waiter = {
        look: () => {
          try {
            const found = find();
            return found === undefined ? false : settle(() => resolve(found));
          } catch (error) {
            return settle(() =>
              reject(
                error instanceof Error ? error : new Error("a predicate threw", { cause: error }),
              ),
            );
          }
        },
      };
      if (!waiter.look()) this.#waiters.add(waiter);
    });
  }

  #summary(topic: string): string {
    const own = this.#seen.filter(({ message }) => message.topic === topic);
    const others = new Set(
      this.#seen.map(({ message }) => message.topic).filter((name) => name !== topic),
    );
    const elsewhere = others.size === 0 ? "" : `; seen in other topics: ${[...others].join(", ")}`;
    if (own.length === 0) return `; nothing of it was seen${elsewhere}`;
    const shown = own.slice(-SHOWN).map(describe).join("; ");
    return `; seen of it: ${own.length}, the last: ${shown}${elsewhere}`;
  }
}

const WORDS: Readonly<Record<ProbeRecord["kind"], string>> = {
  handled: "handled",
  failed: "failed",
  deadLettered: "dead-lettered",
};

function describe({ kind, message }: ProbeRecord): string {
  const { partition, offset, key, attempt, value, error } = message;
  const failure =
    error === undefined ? "" : ` with ${error instanceof Error ? error.message : inspect(error)}`;
  const shown = inspect(value, {
    depth: 2,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: 80,
    maxArrayLength: 8,
  });
  return `${WORDS[kind]}${failure} ${partition}/${offset} key ${key} attempt ${attempt} value ${shown}`;
}
