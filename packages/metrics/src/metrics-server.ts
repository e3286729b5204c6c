import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BusConfigError } from "@bus/core";
import type { HttpHandler } from "./http-endpoints.ts";
import type { MetricsServerOptions } from "./metrics-options.ts";

/** A listening server. */
export interface MetricsServer {
  /** `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Start the small HTTP server.
 *
 * @throws BusConfigError `BUS_CONFIG` when the address cannot be listened on (taken, not this machine's).
 */
export function startMetricsServer(
  handler: HttpHandler,
  { host, port }: Required<MetricsServerOptions>,
): Promise<MetricsServer> {
  const server = createServer(handler);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(host, port, error)));
    server.listen(port, host, () => {
      // A listening TCP server has an address with a port.
      const { port: actual } = server.address() as AddressInfo;
      resolve({ url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`, close });
    });
  });

  function close(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

function cannotListen(host: string, port: number, cause: Error): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `metrics.server cannot listen on ${host}:${port}: ${cause.message}`,
    {
      details: { path: "metrics.server", value: `${host}:${port}` },
      cause,
    },
  );
}
