import { BrokersError } from "../brokers-error.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import type { PartitionMode } from "./tcp-proxy.ts";

/** A partition in force; `using` heals it at the end of the scope. */
export interface NetworkPartition extends Disposable {
  /** For `lose-responses`: resolves when the first response has been lost. Never resolves for the other modes. */
  readonly firstLoss: Promise<void>;
  /** End it; idempotent. */
  heal(): void;
}

/** Faults on the network between clients and nodes. Nodes are numbered from 1. */
export interface NetworkFaults {
  /**
   * Cut a node off from its clients; the nodes among themselves stay connected.
   *
   * @param mode - What clients notice; `stall` unless given.
   * @throws BrokersError `FAULTS_UNAVAILABLE` unless the cluster was started with `network: "proxied"`.
   */
  partitionNetwork(node: number, mode?: PartitionMode): Promise<NetworkPartition>;
}

/** The proxies before the client listeners of every node. */
export class NodeProxies implements NetworkFaults, AsyncDisposable {
  readonly #proxies = new Map<number, TcpProxy[]>();

  /**
   * Put a proxy before a listener of a node.
   *
   * @returns The port that clients connect to instead.
   */
  async add(node: number, targetPort: number): Promise<number> {
    const proxy = await TcpProxy.start(targetPort);
    this.#proxies.set(node, [...(this.#proxies.get(node) ?? []), proxy]);
    return proxy.port;
  }

  async partitionNetwork(node: number, mode: PartitionMode = "stall"): Promise<NetworkPartition> {
    if (this.#proxies.size === 0) {
      throw new BrokersError(
        "FAULTS_UNAVAILABLE",
        `node ${node} cannot be cut off, start with network: "proxied"`,
      );
    }
    const proxies = this.#proxies.get(node);
    if (proxies === undefined)
      throw new BrokersError(
        "INVALID",
        `node must be one of ${[...this.#proxies.keys()].join(", ")}, got ${node}`,
      );
    const losses = proxies.map((proxy) => proxy.partition(mode).firstLoss);
    const heal = (): void => {
      for (const proxy of proxies) proxy.heal();
    };
    return { firstLoss: Promise.race(losses), heal, [Symbol.dispose]: heal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#proxies.values()].flat().map(async (proxy) => await proxy.close()));
  }
}
