import type { GuardedProcess } from "../process/guarded-process.ts";
import { loggingArguments } from "./broker-logging.ts";

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
  readonly launch: (node: KafkaLaunch) => Promise<GuardedProcess>;
}

/**
 * What `java` is given to run a broker, which then takes 350 MB when idle. The native libraries of the codecs, which it unpacks and a
 * killed broker leaves behind, go into the folder of the cluster.
 */
export function brokerArguments(
  classPath: string,
  { clusterFolder, configFile }: KafkaLaunch,
): string[] {
  const machine = ["-Xms256m", "-Xmx768m", `-Djava.io.tmpdir=${clusterFolder}`];
  return [
    ...machine,
    ...loggingArguments(clusterFolder),
    "-cp",
    classPath,
    "kafka.Kafka",
    configFile,
  ];
}

/** What `java` is given to run Kafka's storage tool, which lives too short for the optimising compiler. */
export function storageToolArguments(classPath: string, args: readonly string[]): string[] {
  return ["-XX:TieredStopAtLevel=1", "-cp", classPath, "kafka.tools.StorageTool", ...args];
}
