import type { GuardedProcess } from "../process/guarded-process.ts";

/** Where one server finds its files. */
export interface NatsLaunch {
  /** Folder of the whole cluster; every path below lies in it. */
  readonly clusterFolder: string;
  /** Configuration of this server. */
  readonly configFile: string;
  /** Receives its output. */
  readonly logFile: string;
}

/** A way to run nats-server. */
export interface NatsRuntime {
  /** Which way it is. */
  readonly provider: "container" | "local";
  /** The version that it runs. */
  readonly version: string;
  /** Start one server on a prepared folder. */
  launch(node: NatsLaunch): Promise<GuardedProcess>;
}
