import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { cachedFolder } from "../download-cache.ts";
import { startGuarded } from "../process/guarded-process.ts";
import { runProgram } from "../process/run-program.ts";
import type { Lookup } from "../provider.ts";
import { classArchiveOptions } from "./class-archive.ts";
import { formatTemplate } from "./format-storage.ts";
import { brokerArguments, storageToolArguments } from "./kafka-runtime.ts";
import type { KafkaRuntime, KafkaVersion } from "./kafka-runtime.ts";

const OLDEST_JAVA: Record<KafkaVersion, number> = { "4.1.1": 17, "3.9.1": 11 };
/** The binding that each version brings the rest of; two of them on one class path would compete. */
const LOGGERS: Record<KafkaVersion, string> = {
  "4.1.1": "slf4j-simple",
  "3.9.1": "slf4j-reload4j",
};
const MAVEN_TIMEOUT_MS = 300_000;
const FORMAT_TIMEOUT_MS = 60_000;

interface Java {
  readonly program: string;
  readonly versionText: string;
}

/** Run Kafka on this machine's Java; the jars come from Maven once and stay in the cache. */
export async function javaRuntime(version: KafkaVersion): Promise<Lookup<KafkaRuntime>> {
  const java = await findJava(OLDEST_JAVA[version]);
  if (java === undefined)
    return {
      missing: `Java ${OLDEST_JAVA[version]} or newer and Maven (Debian: openjdk-17-jre-headless maven)`,
    };
  const pom = pomFor(version);
  // The jars of another pom are another folder: a cache filled by an older version of this file is not taken for ours.
  const name = `kafka-${version}-${createHash("sha256").update(pom).digest("hex").slice(0, 8)}`;
  try {
    const folder = await cachedFolder(name, async (part) => await fill(part, pom, java.program));
    return { found: await runtime(name, folder, java) };
  } catch (error) {
    if (!BrokersError.is(error, "UNAVAILABLE")) throw error;
    return { missing: error.message };
  }
}

async function runtime(jars: string, folder: string, java: Java): Promise<KafkaRuntime> {
  const launch =
    (options: readonly string[]): KafkaRuntime["launch"] =>
    async (node) =>
      await startGuarded({
        command: [java.program, ...options, ...brokerArguments(classPath(folder), node)],
        logFile: node.logFile,
        removeOnOrphan: node.clusterFolder,
      });
  const checkpoint = join(folder, "bootstrap.checkpoint");
  const options = await classArchiveOptions({
    jars,
    javaVersion: java.versionText,
    checkpoint,
    launch,
  });
  return { provider: "local", bootstrapCheckpoint: checkpoint, launch: launch(options) };
}

async function findJava(oldest: number): Promise<Java | undefined> {
  const home = process.env["JAVA_HOME"] ?? "";
  const candidates = [...(home === "" ? [] : [join(home, "bin", "java")]), "java"];
  for (const program of candidates) {
    const { status, stderr } = await runProgram([program, "-version"]);
    if (status === 0 && javaMajor(stderr) >= oldest) return { program, versionText: stderr };
  }
  return undefined;
}

/** Major version out of what `java -version` prints: `"17.0.15"` is 17, `"1.8.0_402"` is 8, anything else 0. */
export function javaMajor(text: string): number {
  const match = /version "(?:1\.)?(\d+)/.exec(text);
  return match?.[1] === undefined ? 0 : Number(match[1]);
}

async function fill(folder: string, pom: string, java: string): Promise<void> {
  const { status } = await runProgram(["mvn", "-v"]);
  if (status !== 0)
    throw new BrokersError("UNAVAILABLE", "Maven beside the Java that is there (Debian: maven)");
  const pomFile = join(folder, "pom.xml");
  await writeFile(pomFile, pom);
  await mkdir(join(folder, "libs"));
  const copy = await runProgram(
    [
      "mvn",
      "-q",
      "-B",
      "-f",
      pomFile,
      "dependency:copy-dependencies",
      `-DoutputDirectory=${join(folder, "libs")}`,
    ],
    {
      timeoutMs: MAVEN_TIMEOUT_MS,
    },
  );
  if (copy.status !== 0)
    throw new BrokersError(
      "UNAVAILABLE",
      `a Maven that can fetch the jars (${(copy.stdout + copy.stderr).trim().slice(-800)})`,
    );
  await formatTemplate(
    folder,
    async (args) =>
      await runProgram([java, ...storageToolArguments(classPath(folder), args)], {
        timeoutMs: FORMAT_TIMEOUT_MS,
      }),
  );
}

/** A Maven project whose dependencies are the broker and a logger that writes to stderr. */
export function pomFor(version: KafkaVersion): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bus.tools</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${dependency("org.apache.kafka", "kafka_2.13", version)}
${dependency("org.slf4j", LOGGERS[version], "1.7.36")}
  </dependencies>
</project>
`;
}

function dependency(group: string, artifact: string, version: string): string {
  return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
}

function classPath(folder: string): string {
  return join(folder, "libs", "*");
}
