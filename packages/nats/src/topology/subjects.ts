import { createHash } from "node:crypto";
import { BusConfigError } from "@bus/core";

/** Longest name that file storage of a server takes for a folder, with room for an epoch. */
const LONGEST_NAME = 200;
const DIGEST_DIGITS = 32;

/**
 * Check that a topic's name is a legal subject without wildcards.
 *
 * @throws BusConfigError `BUS_CONFIG` naming the topic and what is wrong with it.
 */
export function checkTopic(topic: string): void {
  const wrong = whatIsWrong(topic);
  if (wrong === undefined) return;
  throw new BusConfigError("BUS_CONFIG", `topic ${JSON.stringify(topic)} is no subject: ${wrong}`, {
    details: { path: "topic", value: topic },
  });
}

function whatIsWrong(topic: string): string | undefined {
  if (topic === "") return "it is empty";
  const illegal = /[\s*>\p{Cc}]/u.exec(topic);
  if (illegal !== null) return `${JSON.stringify(illegal[0])} at ${illegal.index} is not allowed`;
  if (topic.split(".").includes("")) return "it begins or ends with a dot, or has two in a row";
  if (topic.startsWith("$")) return "names with $ belong to the server";
  return undefined;
}

/** Where messages of a partition are published; of a topic without partitions, the topic itself. */
export function subjectOf(
  topic: string,
  partition: number,
  partitions: number | undefined,
): string {
  return partitions === undefined ? topic : `${topic}.${partition}`;
}

/** Every subject of a topic. */
export function subjectsOf(topic: string, partitions: number | undefined): readonly string[] {
  if (partitions === undefined) return [topic];
  return Array.from({ length: partitions }, (_, partition) =>
    subjectOf(topic, partition, partitions),
  );
}

/** What a list of subjects, perhaps with wildcards, takes. */
export function coverage(patterns: readonly string[]): (subject: string) => boolean {
  const exact = new Set(patterns);
  const wild = patterns.filter((pattern) => /[*>]/u.test(pattern));
  return (subject) => exact.has(subject) || wild.some((pattern) => covers(pattern, subject));
}

function covers(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    if (tokens[index] === undefined || (token !== "*" && token !== tokens[index])) return false;
  }
  return wanted.length === tokens.length;
}

/**
 * The name of a durable consumer: `<durable>-<group>-<topic>`, with a partition and an epoch `…-<partition>-e<epoch>`.
 * What a name cannot hold is escaped, and what makes it too long becomes a digest, so that two places never share a name.
 */
export function consumerName(durable: string, group: string, topic: string): string {
  const name = [durable, group, topic].map(escapedToken).join("-");
  if (name.length <= LONGEST_NAME) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, DIGEST_DIGITS);
  return `${name.slice(0, LONGEST_NAME - DIGEST_DIGITS - 1)}-${digest}`;
}

/** A token of letters, digits and `_`, different for different texts. */
export function escapedToken(text: string): string {
  return text.replaceAll(/[^\dA-Za-z]/gu, (char) => {
    if (char === "_") return "__";
    if (char === ".") return "_d";
    if (char === "-") return "_m";
    return `_x${(char.codePointAt(0) ?? 0).toString(16)}_`;
  });
}
