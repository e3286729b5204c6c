import { BusTransportError } from "@bus/core";
import type { AbortedTransaction } from "./aborted-transactions.ts";
import { WireReader } from "./wire-reader.ts";

/** The versions of the Fetch response that `readFetchResponse` knows: those with record batches that kafkajs asks for. */
export const FETCH_VERSIONS: { readonly min: number; readonly max: number } = Object.freeze({
  min: 4,
  max: 11,
});

/** One partition of a fetch response, its records as they came. Offsets are strings as kafkajs' own decoder gives them. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  /** Since version 5. */
  readonly lastStartOffset: string | undefined;
  /** Node to read from henceforth; -1 or absent: the leader. Since version 11. */
  readonly preferredReadReplica: number | undefined;
  /** Empty for `read_uncommitted`. */
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** Record batches one after the other, the last one possibly cut. */
  readonly records: Buffer;
}

/** A fetch response whose records are still bytes. */
export interface FetchResponse {
  readonly throttleTimeMs: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

/**
 * Read everything of a fetch response but its records.
 *
 * @throws BusTransportError `BUS_CORRUPT` when the response ends in the middle of a field.
 *
 * Source: Kafka protocol guide, Fetch API (key 1).
 */
export function readFetchResponse(payload: Buffer, version: number): FetchResponse {
  const reader = new WireReader(payload);
  try {
    return {
      throttleTimeMs: reader.int32(),
      errorCode: version >= 7 ? reader.int16() : 0,
      sessionId: version >= 7 ? reader.int32() : 0,
      topics: reader.array(() => ({
        topic: reader.string(),
        partitions: reader.array(() => readPartition(reader, version)),
      })),
    };
  } catch (error) {
    throw new BusTransportError("BUS_CORRUPT", "a fetch response ends in the middle of a field", {
      cause: error,
    });
  }
}

function readPartition(reader: WireReader, version: number): FetchedPartition {
  return {
    partition: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: String(reader.int64()),
    lastStableOffset: String(reader.int64()),
    lastStartOffset: version >= 5 ? String(reader.int64()) : undefined,
    abortedTransactions: reader.array(() => ({
      producerId: Number(reader.int64()),
      firstOffset: Number(reader.int64()),
    })),
    preferredReadReplica: version >= 11 ? reader.int32() : undefined,
    records: reader.bytes(),
  };
}
