import { randomBytes } from "node:crypto";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import type { ProgramResult } from "../process/run-program.ts";
import { KAFKA_USERS } from "./kafka-users.ts";

const CHECKPOINT = "bootstrap.checkpoint";

/** Properties that the storage tool needs to see; ports and ids in them do not reach the checkpoint. */
const FORMAT_PROPERTIES = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
`;

/**
 * Format a data folder with Kafka's own tool and keep its `bootstrap.checkpoint` in `folder`.
 *
 * The checkpoint holds the metadata version and the SCRAM users, and nothing of a node or a cluster. It is made once per version
 * and copied into every data folder, which saves each broker a second virtual machine (1 s, several on a busy machine).
 *
 * @param folder - Existing folder that the tool can write to.
 * @param run - Runs `kafka.tools.StorageTool` with these arguments.
 * @returns Path of the checkpoint.
 */
export async function formatTemplate(
  folder: string,
  run: (args: readonly string[]) => Promise<ProgramResult>,
): Promise<string> {
  const config = join(folder, "format.properties");
  const data = join(folder, "format-data");
  await writeFile(config, `${FORMAT_PROPERTIES}log.dirs=${data}\n`);
  const { username, password } = KAFKA_USERS.scram;
  const users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${username},password=${password}]`,
  ]);
  const result = await run([
    "format",
    "-t",
    newKafkaId(),
    "-c",
    config,
    "--ignore-formatted",
    ...users,
  ]);
  if (result.status !== 0)
    throw new BrokersError(
      "START_FAILED",
      `kafka storage format ended with status ${result.status}: ${result.stderr.slice(-500)}`,
    );
  await copyFile(join(data, CHECKPOINT), join(folder, CHECKPOINT));
  await rm(data, { recursive: true });
  await rm(config);
  return join(folder, CHECKPOINT);
}

/** Make a data folder that a broker takes for formatted: the checkpoint, and who it belongs to. */
export async function prepareDataFolder(
  folder: string,
  node: { id: number; clusterId: string; checkpoint: string },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(node.checkpoint, join(folder, CHECKPOINT));
  const identity = {
    version: 1,
    "cluster.id": node.clusterId,
    "node.id": node.id,
    "directory.id": newKafkaId(),
  };
  await writeFile(
    join(folder, "meta.properties"),
    Object.entries(identity)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
}

/** A random id as Kafka writes them: 16 bytes in 22 characters of URL-safe base64, not starting with a dash. */
export function newKafkaId(): string {
  for (;;) {
    const id = randomBytes(16).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}
