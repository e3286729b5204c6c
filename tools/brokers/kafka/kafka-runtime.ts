import type { GuardedProcess } from "../process/guarded-process.ts";

/** Versions of Kafka that can be started. */
export type KafkaVersion = "4.1.1" | "3.9.1";

/** The version that is started unless another one is asked for. */
export const DEFAULT_KAFKA_VERSION: KafkaVersion = "4.1.1";

/** All versions that can be started. */
export const KAFKA_VERSIONS: readonly KafkaVersion[] = ["4.1.1", "3.9.1"];

/** Where one broker finds its files. */
export interface KafkaLaunch {
  /** Folder of the whole cluster; every path below lies in it. */
  readonly clusterFolder: string;
  /** `server.properties` of this broker. */
  readonly configFile: string;
  /** Receives its output. */
  readonly logFile: string;
}

/** A way to run Kafka brokers of one version. */
export interface KafkaRuntime {
  /** Which way it is. */
  readonly provider: "container" | "local";
  /** `bootstrap.checkpoint` of a freshly formatted data folder; the same for every node of this version. */
  readonly bootstrapCheckpoint: string;
  /** Start one broker on a prepared folder. */
  launch(node: KafkaLaunch): Promise<GuardedProcess>;
}

/** What `java` is given to run a broker: 350 MB in memory when idle, times in its log. */
export function brokerArguments(classPath: string, configFile: string): string[] {
  const logging = [
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
  ];
  return ["-Xms256m", "-Xmx768m", ...logging, "-cp", classPath, "kafka.Kafka", configFile];
}

/** What `java` is given to run Kafka's storage tool, which lives too short for the optimising compiler. */
export function storageToolArguments(classPath: string, args: readonly string[]): string[] {
  return ["-XX:TieredStopAtLevel=1", "-cp", classPath, "kafka.tools.StorageTool", ...args];
}
