/** One partition of a fetch response to build. */
export interface PartitionBytes {
  readonly partition: number;
  readonly errorCode?: number;
  readonly highWatermark?: bigint;
  readonly lastStableOffset?: bigint;
  readonly logStartOffset?: bigint;
  /** Null as a broker writes it for `read_uncommitted`. */
  readonly aborted?:
    | readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
    | null;
  readonly preferredReadReplica?: number;
  readonly records: Buffer;
}

/** A fetch response to build. */
export interface ResponseBytes {
  readonly throttleTimeMs?: number;
  readonly errorCode?: number;
  readonly sessionId?: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly PartitionBytes[];
  }[];
}

/** A Fetch response of versions 4 to 11 as a broker writes it, after the correlation id. */
export function fetchResponseBytes(response: ResponseBytes, version: number): Buffer {
  const pieces = [int32(response.throttleTimeMs ?? 0)];
  if (version >= 7) pieces.push(int16(response.errorCode ?? 0), int32(response.sessionId ?? 0));
  pieces.push(int32(response.topics.length));
  for (const { topic, partitions } of response.topics) {
    pieces.push(int16(topic.length), Buffer.from(topic), int32(partitions.length));
    for (const partition of partitions) pieces.push(...partitionBytes(partition, version));
  }
  return Buffer.concat(pieces);
}

function partitionBytes(partition: PartitionBytes, version: number): Buffer[] {
  const aborted = partition.aborted === undefined ? [] : partition.aborted;
  return [
    int32(partition.partition),
    int16(partition.errorCode ?? 0),
    int64(partition.highWatermark ?? 0n),
    int64(partition.lastStableOffset ?? 0n),
    ...(version >= 5 ? [int64(partition.logStartOffset ?? 0n)] : []),
    int32(aborted === null ? -1 : aborted.length),
    ...(aborted ?? []).flatMap(({ producerId, firstOffset }) => [
      int64(producerId),
      int64(firstOffset),
    ]),
    ...(version >= 11 ? [int32(partition.preferredReadReplica ?? -1)] : []),
    int32(partition.records.length),
    partition.records,
  ];
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
