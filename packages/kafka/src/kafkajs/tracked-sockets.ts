import net from "node:net";
import tls from "node:tls";
import type { ISocketFactory } from "kafkajs";

/** How often an idle connection is probed, so that a peer that is gone is noticed. */
const KEEP_ALIVE_MS = 60_000;

/** The sockets of one kafkajs client, so that none outlives it. */
export class TrackedSockets {
  readonly #open = new Set<net.Socket>();
  readonly #create: ISocketFactory;
  #isClosed = false;

  /** @param create - How a socket is made; a plain or TLS connection when absent. */
  constructor(create: ISocketFactory = connect) {
    this.#create = create;
  }

  /** For kafkajs' option `socketFactory`. */
  readonly factory: ISocketFactory = (target) => {
    // kafkajs may be on its way to connect once more when it is told to end.
    if (this.#isClosed) return new net.Socket().destroy(closed());
    const socket = this.#create(target);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    return socket;
  };

  /** Close what is still open and open no more; whoever waits for an answer gets an error. */
  destroy(): void {
    this.#isClosed = true;
    for (const socket of this.#open) socket.destroy(closed());
  }
}

function closed(): Error {
  return new Error("the client was closed");
}

const connect: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  // kafkajs passes null where its types say options.
  const options: tls.ConnectionOptions | null = ssl;
  if (options === null) return net.connect({ host, port }, onConnect);
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ host, port, ...servername, ...options }, onConnect);
};
