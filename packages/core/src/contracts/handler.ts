import type { HeaderList } from "./message.ts";
import type { Logger } from "./logger.ts";

/** A message as handlers see it: decoded and validated. */
export interface Message<TValue> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch, as stored by the broker. */
  readonly timestampMs: number;
  /** The key as UTF-8 text; `keyBytes` holds the bytes. */
  readonly key: string | null;
  readonly keyBytes: Uint8Array | null;
  readonly value: TValue;
  readonly headers: HeaderList;
}

/** What a handler is told beside the message. */
export interface HandlerContext {
  /** Aborts when the handler should stop: ownership lost, drain budget over, processing deadline passed. */
  readonly signal: AbortSignal;
  /** 1 for the first run; counts redeliveries and retries in place. */
  readonly attempt: number;
  readonly log: Logger;
  /** Whether the bus is in recovery mode; `false` without `@bus/aggregate`. */
  readonly recovering: boolean;
  /** All messages of the batch, for a batch handler and what plugins put around it; absent for single messages. */
  readonly batch?: readonly Message<unknown>[] | undefined;
}

/**
 * Handles one message. Return = done and acknowledged; throw = failed, classified and retried.
 * `RetryLater`, `Poison` and `Skip` say explicitly what should happen.
 */
export type Handler<TValue> = (
  message: Message<TValue>,
  context: HandlerContext,
) => Promise<void> | void;

/** Handles a batch of one partition, in offset order. A throw makes core run the messages one by one, in order. */
export type BatchHandler<TValue> = (
  messages: readonly Message<TValue>[],
  context: HandlerContext,
) => Promise<void> | void;
