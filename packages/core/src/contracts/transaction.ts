import type { Delivery } from "./delivery.ts";
import type { OutgoingMessage, PublishReceipt } from "./message.ts";

/** An open transaction: messages and consumed positions that become visible together or not at all. */
export interface TransportTransaction {
  /** Write messages inside the transaction; they can be read once it has committed. */
  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]>;
  /**
   * Commit the position after this delivery as part of the transaction. The delivery must be the oldest unsettled one
   * of its partition (core allows this with ordering `partition` only): a position never passes an unfinished message.
   *
   * @throws BusTransportError `BUS_FENCED` when the partition is not owned any more.
   */
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
