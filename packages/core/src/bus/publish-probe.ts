import { wait } from "../adapter/wait.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Publisher } from "../contracts/transport.ts";
import { optionTable } from "../options/option-table.ts";
import type { OptionTable } from "../options/option-table.ts";
import { validateOptions } from "../options/validate-options.ts";
import { messageOf } from "./health-findings.ts";
import type { Finding } from "./health-findings.ts";

/** How health proves that the broker stores messages. */
export interface PublishProbeOptions {
  /** A topic of its own that exists, which nobody needs to read; each probe has the same key, so that it may be compacted. */
  readonly topic: string;
  /** Unhealthy when the broker has not acknowledged within so many milliseconds. @defaultValue 5_000 */
  readonly timeoutMs?: number;
  /** A look at health publishes at most once within so many milliseconds, unless the last probe failed. @defaultValue 10_000 */
  readonly intervalMs?: number;
}

/** Options of a probe with every default applied. */
export type ResolvedPublishProbe = Required<PublishProbeOptions>;

/** Defaults of a probe. */
export interface PublishProbeDefaults {
  readonly publishProbeTimeoutMs: number;
  readonly publishProbeIntervalMs: number;
}

/** @throws BusConfigError `BUS_CONFIG` naming the member and the value. */
export function resolvePublishProbe(
  options: unknown,
  defaults: PublishProbeDefaults,
): ResolvedPublishProbe {
  const table: OptionTable<object, ResolvedPublishProbe> = optionTable<
    object,
    ResolvedPublishProbe
  >({
    topic: { type: "string", required: true, description: "a topic of its own" },
    timeoutMs: {
      type: "integer",
      min: 1,
      default: defaults.publishProbeTimeoutMs,
      description: "how long the acknowledgement may take, in milliseconds",
    },
    intervalMs: {
      type: "integer",
      min: 0,
      default: defaults.publishProbeIntervalMs,
      description: "how often it is published at most, in milliseconds",
    },
  });
  return validateOptions(table, options, "createEventBus.publishProbe");
}

/** What a probe needs. */
export interface PublishProbeParts {
  readonly clock: Clock;
  readonly transport: Pick<Publisher, "publish">;
  readonly options: ResolvedPublishProbe;
}

interface Attempt {
  /** On the monotonic clock. */
  readonly beganMs: number;
  readonly ended: Promise<void>;
}

const KEY = new TextEncoder().encode("bus-publish-probe");

/**
 * Publishes a small message when health is looked at and waits for the broker's acknowledgement. It goes straight to the
 * transport: not counted as a message of the service, not seen by plugins. One is on its way at a time.
 */
export class PublishProbe {
  readonly #parts: PublishProbeParts;
  #attempt: Attempt | undefined;
  #last: { readonly endedMs: number; readonly failure: string | undefined } | undefined;

  constructor(parts: PublishProbeParts) {
    this.#parts = parts;
  }

  /** Never rejects, and takes no longer than the probe's timeout. */
  async look(): Promise<Finding> {
    const { clock, options } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (this.#attempt === undefined && this.#isDue(nowMs)) this.#attempt = this.#begin(nowMs);
    const attempt = this.#attempt;
    if (attempt !== undefined)
      await this.#within(attempt.ended, attempt.beganMs + options.timeoutMs - nowMs);
    return this.#finding();
  }

  #isDue(nowMs: number): boolean {
    const last = this.#last;
    if (last === undefined || last.failure !== undefined) return true;
    return nowMs - last.endedMs >= this.#parts.options.intervalMs;
  }

  #begin(beganMs: number): Attempt {
    const { clock, transport, options } = this.#parts;
    const timestampMs = clock.now();
    const value = new Uint8Array(0);
    const message = { topic: options.topic, key: KEY, value, headers: [], timestampMs };
    const over = (failure: string | undefined): void => {
      this.#attempt = undefined;
      this.#last = { endedMs: clock.monotonicMs(), failure };
    };
    const ended = transport.publish([message]).then(
      () => over(undefined),
      (error: unknown) => over(messageOf(error)),
    );
    return { beganMs, ended };
  }

  async #within(ended: Promise<void>, leftMs: number): Promise<void> {
    if (leftMs <= 0) return;
    const timer = new AbortController();
    await Promise.race([ended, wait(this.#parts.clock, leftMs, timer.signal)]);
    timer.abort();
  }

  #finding(): Finding {
    const { clock, options } = this.#parts;
    if (this.#attempt !== undefined) {
      const forMs = Math.round(clock.monotonicMs() - this.#attempt.beganMs);
      return {
        status: "unhealthy",
        detail: `a probe published to ${options.topic} has not been acknowledged for ${forMs} ms`,
      };
    }
    const failure = this.#last?.failure;
    if (failure === undefined) return { status: "healthy", detail: "" };
    return {
      status: "unhealthy",
      detail: `a probe could not be published to ${options.topic}: ${failure}`,
    };
  }
}
