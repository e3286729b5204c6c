/** What the error code of a produced batch asks for. */
export type ProduceVerdict =
  /** The broker has it. */
  | "stored"
  /** Not stored, or not yet: try again, there or at another leader. */
  | "retry"
  /** Perhaps stored: try again; the sequence number keeps an idempotent producer from storing it twice. */
  | "retryUnsure"
  /** Too large, or one record is bad: in smaller batches the others get through. */
  | "split"
  /** The broker does not know this producer in this partition (any more): begin anew with a fresh identity. */
  | "renewIdentity"
  | "fail";

/** Error codes of the Kafka protocol. */
const VERDICTS: Readonly<Record<number, ProduceVerdict>> = Object.freeze({
  0: "stored",
  [-1]: "retryUnsure", // UNKNOWN_SERVER_ERROR
  2: "retry", // CORRUPT_MESSAGE
  3: "retry", // UNKNOWN_TOPIC_OR_PARTITION
  5: "retry", // LEADER_NOT_AVAILABLE
  6: "retry", // NOT_LEADER_OR_FOLLOWER
  7: "retryUnsure", // REQUEST_TIMED_OUT
  8: "retry", // BROKER_NOT_AVAILABLE
  9: "retry", // REPLICA_NOT_AVAILABLE
  10: "split", // MESSAGE_TOO_LARGE
  13: "retryUnsure", // NETWORK_EXCEPTION
  18: "split", // RECORD_LIST_TOO_LARGE
  19: "retry", // NOT_ENOUGH_REPLICAS
  20: "retryUnsure", // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  32: "split", // INVALID_TIMESTAMP
  45: "renewIdentity", // OUT_OF_ORDER_SEQUENCE_NUMBER
  46: "stored", // DUPLICATE_SEQUENCE_NUMBER
  47: "renewIdentity", // INVALID_PRODUCER_EPOCH
  49: "renewIdentity", // INVALID_PRODUCER_ID_MAPPING
  56: "retry", // KAFKA_STORAGE_ERROR
  59: "renewIdentity", // UNKNOWN_PRODUCER_ID
  74: "retry", // FENCED_LEADER_EPOCH
  75: "retry", // UNKNOWN_LEADER_EPOCH
  87: "split", // INVALID_RECORD
  90: "renewIdentity", // PRODUCER_FENCED
});

/** What to do about a batch that came back with an error code of the Kafka protocol. */
export function judgeProduced(errorCode: number): ProduceVerdict {
  return VERDICTS[errorCode] ?? "fail";
}
