import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A way to a server that can be cut: what goes through it ends at once, and nothing new gets through until it is restored. */
export class SeverableProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSevered = false;

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      if (this.#isSevered) return void client.destroy();
      const server = connect(Number(target.port), target.hostname);
      for (const [one, other] of [[client, server] as const, [server, client] as const]) {
        this.#sockets.add(one);
        one.on("error", () => undefined);
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  static async to(url: string): Promise<SeverableProxy> {
    const proxy = new SeverableProxy(new URL(url));
    await new Promise<void>((resolve) => void proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.#server.unref();
    return proxy;
  }

  get url(): string {
    // A server that listens on TCP has an address of this kind.
    const { port } = this.#server.address() as AddressInfo;
    return `nats://127.0.0.1:${port}`;
  }

  sever(): void {
    this.#isSevered = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore(): void {
    this.#isSevered = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sever();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
