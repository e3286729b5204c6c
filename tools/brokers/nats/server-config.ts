import { dataFolder } from "../process/cluster-folder.ts";

/** A value of a server configuration; the format of NATS is a superset of JSON. */
export type NatsConfigValue =
  | string
  | number
  | boolean
  | readonly NatsConfigValue[]
  | { readonly [name: string]: NatsConfigValue };

/** Server configuration by its own names (`jetstream`, `max_payload`, `authorization` …). */
export type NatsConfig = Readonly<Record<string, NatsConfigValue>>;

/** One server of the plan. */
export interface NatsNodePlan {
  /** From 1. */
  readonly id: number;
  /** Folder with the configuration, the log file and the data of this server. */
  readonly folder: string;
  /** Where it listens. */
  readonly ports: { readonly client: number; readonly monitor: number; readonly route: number };
  /** Where clients are told to connect, when that is a proxy. */
  readonly advertised: number | undefined;
}

/** The configuration of one server of a plan, as text for `nats-server -c`. */
export function serverConfig(
  node: NatsNodePlan,
  nodes: readonly NatsNodePlan[],
  overrides: NatsConfig,
): string {
  return `${JSON.stringify(merge(baseConfig(node, nodes), overrides), undefined, 2)}\n`;
}

function baseConfig(node: NatsNodePlan, nodes: readonly NatsNodePlan[]): NatsConfig {
  const { client, monitor, route } = node.ports;
  const cluster = {
    name: "bus",
    host: "127.0.0.1",
    port: route,
    routes: nodes.map((peer) => `nats://127.0.0.1:${peer.ports.route}`),
  };
  return {
    server_name: `node-${node.id}`,
    host: "127.0.0.1",
    port: client,
    http: `127.0.0.1:${monitor}`,
    jetstream: { store_dir: dataFolder(node.folder) },
    ...(node.advertised === undefined ? {} : { client_advertise: `127.0.0.1:${node.advertised}` }),
    ...(nodes.length === 1 ? {} : { cluster }),
  };
}

/** Objects are merged key by key, anything else is replaced. */
export function merge(base: NatsConfig, overrides: NatsConfig): NatsConfig {
  const merged: Record<string, NatsConfigValue> = { ...base };
  for (const [name, value] of Object.entries(overrides)) {
    const before = merged[name];
    merged[name] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

function isObject(value: NatsConfigValue | undefined): value is NatsConfig {
  return typeof value === "object" && !Array.isArray(value);
}
