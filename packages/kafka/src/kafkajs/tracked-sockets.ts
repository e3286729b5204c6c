import net from "node:net";
import tls from "node:tls";
import type { ISocketFactory } from "kafkajs";

/** How often an idle connection is probed, so that a peer that is gone is noticed. */
const KEEP_ALIVE_MS = 60_000;

/** The sockets of one kafkajs client, so that none outlives it. */
export class TrackedSockets {
  readonly #open = new Set<net.Socket>();

  /** For kafkajs' option `socketFactory`. */
  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    // kafkajs passes null where its types say options.
    const options: tls.ConnectionOptions | null = ssl;
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    const socket =
      options === null
        ? net.connect({ host, port }, onConnect)
        : tls.connect({ host, port, ...servername, ...options }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    return socket;
  };

  /** Close what is still open; whoever waits for an answer gets an error. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy(new Error("the client was closed"));
  }
}
