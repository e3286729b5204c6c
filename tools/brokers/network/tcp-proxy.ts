import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/**
 * How a partition between the clients and a node looks.
 *
 * - `stall`: nothing passes in either direction and no connection ends, as when packets are dropped; what was sent arrives after healing.
 * - `reset`: connections are reset, and new ones too.
 * - `lose-responses`: requests reach the broker, its responses are lost; the connections that lost one are reset by healing.
 */
export type PartitionMode = "stall" | "reset" | "lose-responses";

interface Link {
  readonly client: Socket;
  upstream: Socket | undefined;
  lostBytes: boolean;
}

/** A TCP proxy from one loopback port to another that can cut its connections in several ways. */
export class TcpProxy {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #partition: PartitionMode | undefined;
  #reportLoss: () => void = () => undefined;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (client) => this.#accept(client),
    );
  }

  /** Listen on a free port of 127.0.0.1 and forward to `targetPort`. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.#server.listen({ port: 0, host: "127.0.0.1" });
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The port that clients connect to. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return address.port;
  }

  /**
   * Begin a partition; replaces the one in force.
   *
   * @returns `firstLoss` resolves when `lose-responses` has dropped its first bytes, and never for the other modes.
   */
  partition(mode: PartitionMode): { readonly firstLoss: Promise<void> } {
    this.#partition = mode;
    const firstLoss = new Promise<void>((resolve) => (this.#reportLoss = resolve));
    for (const link of this.#links) this.#applyPartition(link);
    return { firstLoss };
  }

  /** End the partition: what was held back goes on, what lost bytes is reset. */
  heal(): void {
    this.#partition = undefined;
    for (const link of this.#links) {
      if (link.lostBytes) this.#reset(link);
      else if (link.upstream === undefined) this.#connectUpstream(link);
      else resumeBoth(link);
    }
  }

  /** Reset every connection and stop listening. */
  async close(): Promise<void> {
    for (const link of this.#links) this.#reset(link);
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const link: Link = { client, upstream: undefined, lostBytes: false };
    this.#links.add(link);
    this.#endTogether(link, client);
    if (this.#partition === "reset") this.#reset(link);
    else if (this.#partition !== "stall") this.#connectUpstream(link);
  }

  #connectUpstream(link: Link): void {
    const upstream = connect({
      port: this.#targetPort,
      host: "127.0.0.1",
      allowHalfOpen: true,
      noDelay: true,
    });
    link.upstream = upstream;
    this.#endTogether(link, upstream);
    this.#forward(link.client, upstream, () => false);
    this.#forward(upstream, link.client, () => this.#loses(link));
    link.client.resume();
  }

  #forward(from: Socket, to: Socket, loses: () => boolean): void {
    from.on("data", (chunk: Buffer) => {
      if (loses() || to.write(chunk)) return;
      from.pause();
      to.once("drain", () => {
        if (this.#partition !== "stall") from.resume();
      });
    });
    from.on("end", () => {
      if (!loses()) to.end();
    });
  }

  #loses(link: Link): boolean {
    if (this.#partition !== "lose-responses") return false;
    link.lostBytes = true;
    this.#reportLoss();
    return true;
  }

  #applyPartition(link: Link): void {
    if (this.#partition === "reset") this.#reset(link);
    if (this.#partition === "lose-responses") {
      if (link.upstream === undefined) this.#connectUpstream(link);
      else resumeBoth(link);
    }
    if (this.#partition !== "stall") return;
    link.client.pause();
    link.upstream?.pause();
  }

  #reset(link: Link): void {
    this.#links.delete(link);
    link.client.resetAndDestroy();
    link.upstream?.resetAndDestroy();
  }

  #endTogether(link: Link, socket: Socket): void {
    socket.on("error", () => this.#reset(link));
    socket.on("close", () => {
      if (link.client.destroyed && (link.upstream?.destroyed ?? true)) this.#links.delete(link);
    });
  }
}

function resumeBoth(link: Link): void {
  link.client.resume();
  link.upstream?.resume();
}
