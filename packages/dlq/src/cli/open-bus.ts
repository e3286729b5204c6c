import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { createPluginRegistry } from "@bus/core";
import type { EventBus, Registrable } from "@bus/core";
import type { DeadLetters } from "../dead-letters.ts";
import { dlq } from "../dlq-plugin.ts";
import { UsageError } from "./usage-error.ts";

/** A bus for looking at dead letters: it publishes, and handles nothing. */
export interface DeskBus {
  readonly bus: EventBus;
  readonly deadLetters: DeadLetters;
}

/** Where the configuration is, and which package has its transport. */
export interface BusSource {
  readonly config: string;
  readonly transportPackage?: string;
}

/**
 * Make the bus of a configuration file, with its transport and its dead letters and nothing else: the tool must not
 * open the ports or join the groups of the service.
 *
 * @throws UsageError when the file or the transport's package cannot be read; BusConfigError `BUS_CONFIG` for wrong options.
 */
export async function openBus({ config, transportPackage }: BusSource): Promise<DeskBus> {
  const file = resolve(config);
  const { transport, plugins } = await readConfig(file);
  const name = typeof transport === "string" ? transport : Object.keys(asRecord(transport))[0];
  if (name === undefined) throw new UsageError(`${config} names no transport`);
  const definition = await loadTransport(transportPackage ?? `@bus/${name}`, name, file);
  const options = asRecord(plugins)["dlq"] ?? {};
  const bus = createPluginRegistry([definition, dlq]).createEventBus({
    transport,
    plugins: { dlq: options },
  });
  const { deadLetters } = bus;
  if (deadLetters === undefined) throw new TypeError("the bus was made without dead letters");
  return { bus, deadLetters };
}

async function readConfig(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const config: unknown = parse(await readFile(file, "utf8"));
    if (isRecord(config)) return config;
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split("\n");
    throw new UsageError(`cannot read ${file}: ${line}`, { cause: error });
  }
  throw new UsageError(`cannot read ${file}: it must hold an object`);
}

/** The transport as the service would load it: from beside its configuration, or from beside this package. */
async function loadTransport(specifier: string, name: string, file: string): Promise<Registrable> {
  const near = [join(dirname(file), "index.js"), join(process.cwd(), "index.js")];
  const found = near.map((from) => resolveFrom(specifier, from)).find((path) => path !== undefined);
  const loaded = await importModule(found ?? specifier, specifier);
  const definition = Object.values(loaded).find(
    (one) => isDefinition(one) && one.kind === "transportDefinition" && one.name === name,
  );
  if (isDefinition(definition)) return definition;
  throw new UsageError(`package ${specifier} has no transport ${name}`);
}

async function importModule(
  target: string,
  specifier: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const module: unknown = await import(target);
    return asRecord(module);
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split("\n");
    throw new UsageError(`cannot load the transport from ${specifier}: ${line}`, { cause: error });
  }
}

function resolveFrom(specifier: string, from: string): string | undefined {
  try {
    return pathToFileURL(createRequire(from).resolve(specifier)).href;
  } catch {
    // Not installed there; the next place is tried.
    return undefined;
  }
}

function isDefinition(value: unknown): value is Registrable & { readonly name: string } {
  const isObject = typeof value === "object" || typeof value === "function";
  return isObject && value !== null && "kind" in value && "configure" in value && "name" in value;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
