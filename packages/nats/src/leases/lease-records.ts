import type { TopicPartition } from "@bus/core";
import type { LeasedTopic } from "./lease-contract.ts";

/** What a process says of itself, again and again. */
export interface MemberRecord {
  /** Counts the renewals, so that no two are the same. */
  readonly beat: number;
  readonly topics: readonly LeasedTopic[];
}

/** Who owns a partition. */
export interface PartitionRecord {
  /** Id of the member; empty when it was given back. */
  readonly owner: string;
  readonly epoch: number;
  readonly floor: number | undefined;
}

/** What a key of the bucket stands for. */
export type LeaseKey =
  | { readonly kind: "member"; readonly id: string }
  | ({ readonly kind: "partition" } & TopicPartition);

const MEMBER = "m";
const PARTITION = "p";
const TO_ESCAPE = /[^A-Za-z0-9_-]/gu;

/** What every key of a group begins with. */
export function groupPrefix(group: string): string {
  return `${escapeToken(group)}.`;
}

/** The key under which a member says that it lives. */
export function memberKey(group: string, id: string): string {
  return `${groupPrefix(group)}${MEMBER}.${id}`;
}

/** The key of a partition. */
export function partitionKey(group: string, { topic, partition }: TopicPartition): string {
  return `${groupPrefix(group)}${PARTITION}.${escapeToken(topic)}.${partition}`;
}

/** What a key stands for; `undefined` for one that is not ours. */
export function readLeaseKey(group: string, key: string): LeaseKey | undefined {
  const prefix = groupPrefix(group);
  if (!key.startsWith(prefix)) return undefined;
  const [kind, first = "", second] = key.slice(prefix.length).split(".");
  if (kind === MEMBER && first !== "") return { kind: "member", id: first };
  if (kind !== PARTITION || second === undefined || !/^\d+$/.test(second)) return undefined;
  return { kind: "partition", topic: unescapeToken(first), partition: Number(second) };
}

export function writeMember({ beat, topics }: MemberRecord): string {
  return JSON.stringify({
    beat,
    topics: topics.map(({ topic, partitions }) => [topic, partitions]),
  });
}

export function writePartition({ owner, epoch, floor }: PartitionRecord): string {
  return JSON.stringify({ owner, epoch, ...(floor === undefined ? {} : { floor }) });
}

/** @throws SyntaxError when it is no member's record. */
export function readMember(value: string): MemberRecord {
  const { beat, topics } = fields(value);
  if (typeof beat !== "number" || !Array.isArray(topics)) throw new SyntaxError("no member record");
  return {
    beat,
    topics: topics.map((entry: unknown) => {
      const [topic, partitions]: readonly unknown[] = Array.isArray(entry) ? entry : [];
      if (typeof topic !== "string" || typeof partitions !== "number")
        throw new SyntaxError("no member record");
      return { topic, partitions };
    }),
  };
}

/** @throws SyntaxError when it is no partition's record. */
export function readPartition(value: string): PartitionRecord {
  const { owner, epoch, floor } = fields(value);
  if (typeof owner !== "string" || typeof epoch !== "number")
    throw new SyntaxError("no partition record");
  return { owner, epoch, floor: typeof floor === "number" ? floor : undefined };
}

function fields(value: string): Readonly<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(value);
  if (typeof parsed !== "object" || parsed === null) throw new SyntaxError("no record");
  return Object.fromEntries(Object.entries(parsed));
}

/** A token of a subject that stands for any text: UTF-8, `=` and two hexadecimal digits for what a token cannot hold. */
function escapeToken(text: string): string {
  return text.replace(TO_ESCAPE, (char) =>
    Array.from(Buffer.from(char), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

function unescapeToken(token: string): string {
  return decodeURIComponent(token.replaceAll("=", "%"));
}
