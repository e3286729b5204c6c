import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

const HOST = "127.0.0.1";
const PORT_BYTES = 4;
const LENGTH_BYTES = 4;

/**
 * The network of one simulated process, for clients whose sockets cannot be had: a TCP proxy to one broker that can be
 * cut. Where the broker tells its own address, the proxy's is told instead, so that no connection goes round it.
 */
export class ProcessProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSevered = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Listen on a free port and forward to the broker at `target`, a port of the loopback interface. */
  static async start(target: number): Promise<ProcessProxy> {
    const proxy = new ProcessProxy(target);
    proxy.#server.listen({ port: 0, host: HOST });
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new TypeError("the proxy is closed");
    return bound.port;
  }

  /** Reset every connection, and new ones too, as when the process was killed or lost its network. */
  sever(): void {
    this.#isSevered = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  restore(): void {
    this.#isSevered = false;
  }

  async close(): Promise<void> {
    this.sever();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.#isSevered) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const broker = connect({ port: this.#target, host: HOST, noDelay: true });
    const rewrite = addressRewriter(this.#target, this.port);
    this.#pipe(client, broker, (bytes) => bytes);
    this.#pipe(broker, client, rewrite);
  }

  #pipe(from: Socket, to: Socket, change: (bytes: Buffer) => Buffer): void {
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      if (to.write(change(bytes))) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}

/**
 * Replaces `127.0.0.1` followed by one port with the same followed by another, in a stream of Kafka's answers that may
 * be cut anywhere. A part of an address is held back only inside an answer: behind its end nothing more comes until
 * the client has asked again. Exported for its test.
 */
export function addressRewriter(from: number, to: number): (bytes: Buffer) => Buffer {
  const searched = address(from);
  const replacement = address(to);
  const isAtEnd = answerEnds();
  let held: Buffer = Buffer.alloc(0);
  return (bytes) => {
    const all = Buffer.concat([held, bytes]);
    for (let at = all.indexOf(searched); at >= 0; at = all.indexOf(searched, at + 1))
      replacement.copy(all, at);
    const holdFrom = isAtEnd(bytes) ? all.length : startOfPart(all, searched);
    held = all.subarray(holdFrom);
    return all.subarray(0, holdFrom);
  };
}

/** Follows the lengths in front of answers; tells whether the last one is complete. */
function answerEnds(): (bytes: Buffer) => boolean {
  let length: Buffer = Buffer.alloc(0);
  let left = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const wanted = left > 0 ? left : LENGTH_BYTES - length.length;
      const piece = bytes.subarray(at, at + wanted);
      at += piece.length;
      if (left > 0) {
        left -= piece.length;
        continue;
      }
      length = Buffer.concat([length, piece]);
      if (length.length < LENGTH_BYTES) continue;
      left = length.readInt32BE(0);
      length = Buffer.alloc(0);
    }
    return left === 0 && length.length === 0;
  };
}

/** Where the beginning of an address stands that the next piece may complete. */
function startOfPart(bytes: Buffer, searched: Buffer): number {
  for (let at = Math.max(0, bytes.length - searched.length + 1); at < bytes.length; at += 1) {
    const part = bytes.subarray(at);
    if (part.equals(searched.subarray(0, part.length))) return at;
  }
  return bytes.length;
}

function address(port: number): Buffer {
  const bytes = Buffer.alloc(HOST.length + PORT_BYTES);
  bytes.write(HOST, "latin1");
  bytes.writeInt32BE(port, HOST.length);
  return bytes;
}
