import type { Delivery } from "./delivery.ts";
import type { OutgoingMessage } from "./message.ts";

/** An open transaction: messages and consumed positions that become visible together or not at all. */
export interface TransportTransaction {
  /** Write messages inside the transaction. */
  publish(messages: readonly OutgoingMessage[]): Promise<void>;
  /** Commit the position after this delivery as part of the transaction. */
  consumed(delivery: Delivery): void;
}

/** Runs transactions. Capability `transactions`. */
export interface TransactionRunner {
  /**
   * Run `body` in a transaction: commits when it resolves, aborts when it rejects.
   *
   * @throws BusTransportError `BUS_FENCED` when another producer with the same transactional id took over.
   */
  run<TResult>(body: (transaction: TransportTransaction) => Promise<TResult>): Promise<TResult>;
}
