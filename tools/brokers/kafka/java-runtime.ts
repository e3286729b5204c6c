import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { cachedFolder } from "../download-cache.ts";
import { startGuarded } from "../process/guarded-process.ts";
import { runProgram } from "../process/run-program.ts";
import type { Lookup } from "../provider.ts";
import { formatTemplate } from "./format-storage.ts";
import { brokerArguments, storageToolArguments } from "./kafka-runtime.ts";
import type { KafkaRuntime, KafkaVersion } from "./kafka-runtime.ts";

const OLDEST_JAVA: Record<KafkaVersion, number> = { "4.1.1": 17, "3.9.1": 11 };
const MAVEN_TIMEOUT_MS = 300_000;
const FORMAT_TIMEOUT_MS = 60_000;

/** Run Kafka on this machine's Java; the jars come from Maven once and stay in the cache. */
export async function javaRuntime(version: KafkaVersion): Promise<Lookup<KafkaRuntime>> {
  const java = await findJava(OLDEST_JAVA[version]);
  if (java === undefined)
    return {
      missing: `Java ${OLDEST_JAVA[version]} or newer and Maven (Debian: openjdk-17-jre-headless maven)`,
    };
  const maven = (await runProgram(["mvn", "-v"])).status === 0;
  const folder = await cachedFolder(`kafka-${version}`, async (part) => {
    if (maven) await fill(part, version, java);
    else throw new BrokersError("UNAVAILABLE", "maven");
  }).catch((error: unknown) => {
    if (BrokersError.is(error, "UNAVAILABLE")) return undefined;
    throw error;
  });
  if (folder === undefined)
    return { missing: "Maven beside the Java that is there (Debian: maven)" };
  return { found: runtime(folder, java) };
}

function runtime(folder: string, java: string): KafkaRuntime {
  return {
    provider: "local",
    bootstrapCheckpoint: join(folder, "bootstrap.checkpoint"),
    launch: async ({ clusterFolder, configFile, logFile }) =>
      await startGuarded({
        command: [java, ...brokerArguments(classPath(folder), configFile)],
        logFile,
        removeOnOrphan: clusterFolder,
      }),
  };
}

async function findJava(oldest: number): Promise<string | undefined> {
  const home = process.env["JAVA_HOME"];
  const candidates = [
    ...(home === undefined || home === "" ? [] : [join(home, "bin", "java")]),
    "java",
  ];
  for (const java of candidates) {
    const { status, stderr } = await runProgram([java, "-version"]);
    if (status === 0 && javaMajor(stderr) >= oldest) return java;
  }
  return undefined;
}

/** Major version out of what `java -version` prints: `"17.0.15"` is 17, `"1.8.0_402"` is 8, anything else 0. */
export function javaMajor(text: string): number {
  const match = /version "(?:1\.)?(\d+)/.exec(text);
  return match?.[1] === undefined ? 0 : Number(match[1]);
}

async function fill(folder: string, version: KafkaVersion, java: string): Promise<void> {
  const pom = join(folder, "pom.xml");
  await writeFile(pom, pomFor(version));
  await mkdir(join(folder, "libs"));
  const copy = await runProgram(
    [
      "mvn",
      "-q",
      "-B",
      "-f",
      pom,
      "dependency:copy-dependencies",
      `-DoutputDirectory=${join(folder, "libs")}`,
    ],
    {
      timeoutMs: MAVEN_TIMEOUT_MS,
    },
  );
  if (copy.status !== 0)
    throw new BrokersError(
      "START_FAILED",
      `maven could not fetch kafka ${version}: ${(copy.stdout + copy.stderr).slice(-800)}`,
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
  const loggers = version === "3.9.1" ? ["slf4j-simple", "slf4j-reload4j"] : ["slf4j-simple"];
  const dependencies = [
    dependency("org.apache.kafka", "kafka_2.13", version),
    ...loggers.map((name) => dependency("org.slf4j", name, "1.7.36")),
  ];
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bus.tools</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${dependencies.join("\n")}
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
