import type { ConfiguredTransport, Transport, TransportEvent } from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";
import { testHost } from "../test-host.ts";
import { until, within } from "../until.ts";
import { CONFORMANCE_TIMINGS } from "./subject.ts";
import type { ConformanceSubject, ConformanceTimings, TransportOverrides } from "./subject.ts";

/** A simulated process: one transport, connected. */
export interface LabProcess {
  readonly configured: ConfiguredTransport;
  readonly transport: Transport;
  readonly events: readonly TransportEvent[];
}

/** Something that must be closed when its test ends. */
export interface Closable {
  close(options: { readonly drainTimeoutMs: number }): Promise<unknown>;
}

/** One test's own corner of the broker: fresh topics and groups, processes that are closed when the test ends. */
export class Lab {
  readonly subject: ConformanceSubject;
  readonly timings: ConformanceTimings;
  /** Numbers worth showing beside the outcome, for example duplicates after a crash. */
  readonly figures: Record<string, number> = {};
  readonly #prefix: string;
  readonly #open: {
    readonly what: Closable;
    crashed: boolean;
    readonly configured: ConfiguredTransport;
  }[] = [];
  #publisher: Promise<LabProcess> | undefined;
  #violations: unknown[] = [];
  #names = 0;

  /** @param prefix - Starts every topic and group name of the test; unique on the broker. */
  constructor(subject: ConformanceSubject, prefix: string) {
    this.subject = subject;
    this.timings = { ...CONFORMANCE_TIMINGS, ...subject.timings };
    this.#prefix = prefix;
  }

  /** A new topic that can be used. */
  async topic(partitions = 1): Promise<string> {
    const topic = this.#name("topic");
    if (this.subject.createTopic !== undefined) {
      await this.subject.createTopic(topic, partitions);
      return topic;
    }
    const { transport } = await this.publisher();
    const admin = transport.capabilities.topics;
    if (admin === undefined)
      throw new TypeError(
        "the subject needs createTopic, because the transport has no capabilities.topics",
      );
    await admin.create([{ topic, partitions }]);
    return topic;
  }

  /** A group name that no other test uses. */
  group(): string {
    return this.#name("group");
  }

  /** A new simulated process, connected. */
  async process(overrides?: TransportOverrides): Promise<LabProcess> {
    const configured = this.subject.transport(overrides);
    const host = testHost();
    const transport = configured.create(host);
    this.track(transport, configured);
    await within(transport.connect(), { timeoutMs: this.timings.stepMs, what: "connect" });
    return { configured, transport, events: host.events };
  }

  /** The process that publishes and administers for the whole test, connected on first use. */
  publisher(): Promise<LabProcess> {
    this.#publisher ??= this.process();
    return this.#publisher;
  }

  /** Close something at the end of the test; `configured` is the process that it lives in. */
  track(what: Closable, configured: ConfiguredTransport): void {
    this.#open.push({ what, configured, crashed: false });
  }

  /** End a process as if it was killed. */
  async crash(configured: ConfiguredTransport): Promise<void> {
    for (const entry of this.#open) if (entry.configured === configured) entry.crashed = true;
    await this.subject.faults?.crash?.(configured);
  }

  /** Fail the test from inside a handler or a callback, where a throw would be taken for a failing handler. */
  violated(error: unknown): void {
    this.#violations.push(error);
  }

  /** Wait for a condition, as long as one healthy step may take unless told otherwise. */
  until(
    condition: () => boolean | Promise<boolean>,
    what: string,
    options: WaitOptions = {},
  ): Promise<void> {
    const { timeoutMs = this.timings.stepMs, state } = options;
    const look = (): boolean | Promise<boolean> => {
      this.#throwViolation();
      return condition();
    };
    return until(look, state === undefined ? { timeoutMs, what } : { timeoutMs, what, state });
  }

  /** Wait for a promise, as long as one healthy step may take unless told otherwise. */
  within<TValue>(
    promise: Promise<TValue>,
    what: string,
    options: WaitOptions = {},
  ): Promise<TValue> {
    return within(promise, { timeoutMs: options.timeoutMs ?? this.timings.stepMs, what });
  }

  /** Watch for a while that something does not happen; the only wait for a time. */
  async quiet(ms: number = this.timings.quietMs): Promise<void> {
    await wait(systemClock, ms);
  }

  /** Close what the test left open. Rejects when something that has not crashed cannot be closed in time. */
  async dispose(): Promise<void> {
    const closing = this.#open.toReversed().map(async ({ what, crashed }) => {
      const closed = within(what.close({ drainTimeoutMs: 0 }), {
        timeoutMs: this.timings.stepMs,
        what: "close after the test",
      });
      if (!crashed) return closed;
      // A crashed process has nothing left to say; closing it only frees what the simulation holds.
      return closed.catch(() => undefined);
    });
    await Promise.all(closing);
    this.#throwViolation();
  }

  #throwViolation(): void {
    if (this.#violations.length > 0) throw this.#violations[0];
  }

  #name(kind: string): string {
    this.#names++;
    return `${this.#prefix}-${kind}-${this.#names}`;
  }
}

/** How long to wait and what to show when it was in vain. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly state?: () => unknown;
}
