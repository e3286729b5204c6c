import type { TopicPartition } from "@bus/core";
import type { KafkaCluster } from "@bus/tools-brokers";
import { readFile, open } from "node:fs/promises";
import { join } from "node:path";

/** Before `partitionLeaderEpoch`: base offset and length. */
const LENGTH_AT = 8;
const OVERHEAD_BYTES = 12;
/** Everything of a record batch before its records. */
const HEADER_BYTES = 61;

/** Damage done to a record batch in the log of a broker. */
export interface DamagedBatch {
  /** Write the bytes that were there back. */
  mend(): Promise<void>;
}

/**
 * Overwrite the records of the batch that begins at an offset, in the file that the broker of a cluster of one node
 * serves fetches from. Its header, and with it the log, stays as it is.
 */
export async function damageBatch(
  cluster: KafkaCluster,
  { topic, partition }: TopicPartition,
  baseOffset: number,
): Promise<DamagedBatch> {
  const folder = /log\.dirs = (\S+)/u.exec(await cluster.logs(1))?.[1];
  if (folder === undefined) throw new Error("the broker has not told where its log is");
  const path = join(folder, `${topic}-${partition}`, "00000000000000000000.log");
  const { at, bytes } = batchAt(await readFile(path), baseOffset);
  const write = async (content: Buffer): Promise<void> => {
    const file = await open(path, "r+");
    await file.write(content, 0, content.length, at);
    await file.close();
  };
  await write(Buffer.alloc(bytes.length, 0xff));
  return { mend: () => write(bytes) };
}

function batchAt(log: Buffer, baseOffset: number): { readonly at: number; readonly bytes: Buffer } {
  for (let at = 0; at + OVERHEAD_BYTES <= log.length;) {
    const end = at + OVERHEAD_BYTES + log.readInt32BE(at + LENGTH_AT);
    const recordsAt = at + HEADER_BYTES;
    if (Number(log.readBigInt64BE(at)) === baseOffset)
      return { at: recordsAt, bytes: Buffer.from(log.subarray(recordsAt, end)) };
    at = end;
  }
  throw new RangeError(`no batch of the log begins at offset ${baseOffset}`);
}
