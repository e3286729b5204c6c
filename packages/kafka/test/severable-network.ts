import net from "node:net";
import type { ISocketFactory } from "kafkajs";

/** The network of one simulated process: it can be cut, and joined again. */
export interface SeverableNetwork {
  /** For `client.common.socketFactory`. */
  readonly socketFactory: ISocketFactory;
  /** Close every connection and refuse new ones, as when the process was killed or lost its network. */
  sever(): void;
  restore(): void;
}

export function severableNetwork(): SeverableNetwork {
  const open = new Set<net.Socket>();
  let isSevered = false;
  return {
    socketFactory: ({ host, port, onConnect }) => {
      // Nothing listens on port 1 of the loopback interface.
      const socket = net.connect(
        isSevered ? { host: "127.0.0.1", port: 1 } : { host, port },
        onConnect,
      );
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      return socket;
    },
    sever: () => {
      isSevered = true;
      for (const socket of open) socket.destroy(new Error("the network was cut"));
    },
    restore: () => {
      isSevered = false;
    },
  };
}
