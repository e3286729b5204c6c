import type { IncomingMessage, ServerResponse } from "node:http";
import type { BusHealth, HealthStatus } from "@bus/core";

/** What the endpoints show. */
export interface EndpointSources {
  /** Prometheus text. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly health: () => Promise<BusHealth>;
}

/** A handler for `node:http` and everything that takes one. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What an endpoint answers. */
interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const JSON_TYPE = "application/json; charset=utf-8";

/**
 * Serve `/metrics`, `/health/live`, `/health/ready` and `/health`.
 *
 * - `/health/live`: 200 as long as the process answers; restart the process when it does not.
 * - `/health/ready`: 200 unless the bus is unhealthy; send no work to a process that says 503.
 * - `/health`: everything, 200 unless unhealthy.
 */
export function createHttpHandler(sources: EndpointSources): HttpHandler {
  const routes: Readonly<Record<string, () => Promise<Answer>>> = {
    "/metrics": async () => ({ status: 200, ...(await sources.metrics()) }),
    "/health/live": () =>
      Promise.resolve({ status: 200, contentType: JSON_TYPE, body: '{"status":"alive"}' }),
    "/health/ready": async () => {
      const { overall } = await sources.health();
      return {
        status: statusOf(overall),
        contentType: JSON_TYPE,
        body: JSON.stringify({ status: overall }),
      };
    },
    "/health": async () => {
      const health = await sources.health();
      return {
        status: statusOf(health.overall),
        contentType: JSON_TYPE,
        body: JSON.stringify(health),
      };
    },
  };
  return (request, response) => {
    void respond(routes, request, response);
  };
}

async function respond(
  routes: Readonly<Record<string, () => Promise<Answer>>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (request.method !== "GET" && request.method !== "HEAD")
    return send(response, plain(405, "only GET and HEAD"));
  if (route === undefined)
    return send(response, plain(404, `not found; there are ${Object.keys(routes).join(", ")}`));
  try {
    send(response, await route());
  } catch (error) {
    send(response, plain(500, error instanceof Error ? error.message : String(error)));
  }
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  // Node leaves the body of an answer to HEAD out by itself.
  response.end(body);
}

function plain(status: number, text: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body: `${text}\n` };
}

function statusOf(status: HealthStatus): number {
  return status === "unhealthy" ? 503 : 200;
}
