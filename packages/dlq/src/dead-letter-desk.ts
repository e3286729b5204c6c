import { BusClosedError, BusConfigError } from "@bus/core";
import type { Clock, PluginHost } from "@bus/core";
import { validateOptions } from "@bus/core/adapter";
import { deadLetterTopicOf } from "./dead-letter-filter.ts";
import type { LooseFilter } from "./dead-letter-filter.ts";
import {
  discardRequest,
  inspectRequest,
  listRequest,
  replayRequest,
} from "./dead-letter-requests.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { ResolvedDlqOptions } from "./dlq-options.ts";
import { inspectDeadLetters, listDeadLetters } from "./look-at-dead-letters.ts";
import { ReaderPool } from "./reader-pool.ts";
import { discardDeadLetters, replayDeadLetters } from "./work-on-dead-letters.ts";

/** What every call on dead letters needs. */
export interface DeskCall {
  readonly host: PluginHost;
  readonly readers: ReaderPool;
  readonly leaseMs: number;
  readonly deadLetterTopic: string;
  /** Aborts when the caller gives up or the bus closes. */
  readonly signal: AbortSignal;
  /** Aborts the time of a lease after `signal`: what was begun may be written down until then. */
  readonly lateSignal: AbortSignal;
}

type DeskOptions = Pick<ResolvedDlqOptions, "destination" | "leaseMs">;

/** `bus.deadLetters`, open from `start` to `close` of its bus. */
export interface DeadLetterDesk {
  readonly api: DeadLetters;
  start(): void;
  /** End what is running and wait for it. */
  close(): Promise<void>;
}

/** Make the desk of a bus. */
export function createDeadLetterDesk(host: PluginHost, options: DeskOptions): DeadLetterDesk {
  const readers = new ReaderPool(host);
  const calls = new Set<Promise<unknown>>();
  const closed = new AbortController();
  let isStarted = false;

  const call: CallDesk = async (request, work) => {
    requireOpen(isStarted, closed.signal);
    const { destination, leaseMs } = options;
    const suffix = typeof destination === "function" ? undefined : destination.suffix;
    const deadLetterTopic = deadLetterTopicOf(request, suffix);
    const signals = request.signal === undefined ? [] : [request.signal];
    const signal = AbortSignal.any([closed.signal, ...signals]);
    const late = delayed(host.clock, signal, leaseMs);
    const lateSignal = late.signal;
    const working = work({ host, readers, leaseMs, deadLetterTopic, signal, lateSignal });
    calls.add(working);
    try {
      return await working;
    } finally {
      late.cancel();
      calls.delete(working);
    }
  };

  return {
    api: createApi(call),
    start: () => void (isStarted = true),
    close: async () => {
      closed.abort(new BusClosedError("the bus is closing"));
      await Promise.allSettled(calls);
    },
  };
}

/** Run one piece of work for a request, from the check whether the desk is open to the end. */
type CallDesk = <TResult>(
  request: LooseFilter & { readonly signal?: AbortSignal | undefined },
  work: (call: DeskCall) => Promise<TResult>,
) => Promise<TResult>;

function createApi(call: CallDesk): DeadLetters {
  return {
    list: async (input) => {
      const request = validateOptions(listRequest, input, "list");
      return call(request, (desk) => listDeadLetters(desk, request));
    },
    inspect: async (input) => {
      const request = validateOptions(inspectRequest, input, "inspect");
      return call(request, (desk) => inspectDeadLetters(desk, request.id));
    },
    replay: async (input) => {
      const request = validateOptions(replayRequest, input, "replay");
      return call(request, (desk) => replayDeadLetters(desk, request));
    },
    discard: async (input) => {
      const request = validateOptions(discardRequest, input, "discard");
      return call(request, (desk) => discardDeadLetters(desk, request));
    },
  };
}

/** A signal that follows another one later; `cancel` leaves no timer and no listener. */
function delayed(
  clock: Clock,
  signal: AbortSignal,
  delayMs: number,
): { readonly signal: AbortSignal; cancel(): void } {
  const controller = new AbortController();
  let cancelTimer: () => void = () => undefined;
  const follow = (): void => {
    cancelTimer = clock.schedule(() => controller.abort(signal.reason), delayMs);
  };
  signal.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    cancel: () => {
      signal.removeEventListener("abort", follow);
      cancelTimer();
    },
  };
}

function requireOpen(isStarted: boolean, closed: AbortSignal): void {
  if (closed.aborted) throw new BusClosedError("dead letters cannot be reached: the bus is closed");
  if (isStarted) return;
  throw new BusConfigError("BUS_CONFIG", "dead letters cannot be reached: call start() first", {
    details: { path: "status" },
  });
}
