import type { Plugin } from "../contracts/plugin.ts";
import type { ConfiguredTransport } from "../contracts/transport.ts";
import { createEventBus } from "../bus/create-event-bus.ts";
import { busOptions } from "../bus/bus-options.ts";
import type { EventBusOptions } from "../bus/bus-options.ts";
import type { EventBus } from "../bus/event-bus.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { nearestName } from "../options/nearest-name.ts";
import { jsonSchemaOf } from "../options/validate-options.ts";
import type { PluginDefinition } from "./define-plugin.ts";
import type { TransportDefinition } from "./define-transport.ts";

/** The part of a transport's definition that a registry needs, whatever its options are. */
type RegistrableTransport = Pick<TransportDefinition<unknown>, "kind" | "name" | "configure"> & {
  readonly options: object;
};

/** The part of a plugin's definition that a registry needs, whatever its options are. */
type RegistrablePlugin = Pick<PluginDefinition<unknown, object>, "kind" | "name" | "configure"> & {
  readonly options: object;
};

/** A transport or plugin that configuration files may name: what `defineTransport` and `definePlugin` return. */
export type Registrable = RegistrableTransport | RegistrablePlugin;

/** Code that configuration files cannot hold: options by transport or plugin name (merged over the file's), clock, logger. */
export interface RegistryOverrides extends Pick<
  Partial<EventBusOptions<readonly []>>,
  "clock" | "logger" | "random"
> {
  readonly options?: Readonly<Record<string, object>>;
}

type ApiOfDefinition<TDefinition> = TDefinition extends {
  readonly kind: "pluginDefinition";
  configure(input: unknown, path: string): Plugin<infer Api>;
}
  ? Partial<Api>
  : never;
type UnionToIntersection<TUnion> = (
  TUnion extends unknown ? (member: TUnion) => void : never
) extends (all: infer All) => void
  ? All
  : never;

/** A bus made from configuration: which plugins it has is known at run time, so their members are optional. */
export type ConfiguredBus<TDefinitions extends readonly Registrable[]> = EventBus &
  UnionToIntersection<ApiOfDefinition<TDefinitions[number]>>;

/** Makes buses from configuration. */
export interface PluginRegistry<TDefinitions extends readonly Registrable[]> {
  /**
   * Make a bus from plain configuration (parsed YAML, JSON or environment).
   *
   * @param config - `{ group, transport: { <name>: options }, plugins: { <name>: options }, … }`
   * @throws BusConfigError `BUS_CONFIG` with the path, the value and the nearest known name, before any network traffic.
   */
  createEventBus(config: unknown, overrides?: RegistryOverrides): ConfiguredBus<TDefinitions>;
  /** JSON Schema (2020-12) of the whole configuration, for editors. */
  jsonSchema(): Readonly<Record<string, unknown>>;
}

const SETTINGS = [
  "group",
  "holdTopics",
  "drainTimeoutMs",
  "stalledAfterMs",
  "disconnectedAfterMs",
  "rebalancingAfterMs",
  "loopBlockedAfterMs",
  "publishProbe",
] as const;

/**
 * Collect the transports and plugins that configuration may name.
 *
 * @throws BusConfigError `BUS_CONFIG` when two have one name.
 */
export function createPluginRegistry<const TDefinitions extends readonly Registrable[]>(
  definitions: TDefinitions,
): PluginRegistry<TDefinitions> {
  const transports = byName(
    definitions.filter((definition) => definition.kind === "transportDefinition"),
  );
  const plugins = byName(
    definitions.filter((definition) => definition.kind === "pluginDefinition"),
  );
  return {
    createEventBus(config, overrides = {}) {
      const parsed = requireRecord(config, "configuration");
      rejectUnknown(Object.keys(parsed), ["transport", "plugins", ...SETTINGS], "configuration");
      const { options: optionOverrides = {}, ...surroundings } = overrides;
      rejectUnknown(
        Object.keys(optionOverrides),
        [...transports.keys(), ...plugins.keys()],
        "overrides.options",
      );
      const bus = createEventBus({
        ...surroundings,
        ...Object.fromEntries(
          SETTINGS.filter((name) => parsed[name] !== undefined).map((name) => [name, parsed[name]]),
        ),
        transport: configureTransport(parsed["transport"], transports, optionOverrides),
        plugins: configurePlugins(parsed["plugins"], plugins, optionOverrides),
      });
      // Each plugin that the configuration names has added its members; the type makes them all optional.
      return bus as ConfiguredBus<TDefinitions>;
    },
    jsonSchema: () => configurationSchema(transports, plugins),
  };
}

type Overrides = Readonly<Record<string, object>>;

function configureTransport(
  config: unknown,
  transports: ReadonlyMap<string, RegistrableTransport>,
  overrides: Overrides,
): ConfiguredTransport {
  const named = typeof config === "string" ? { [config]: {} } : requireRecord(config, "transport");
  const names = Object.keys(named);
  rejectUnknown(names, [...transports.keys()], "transport");
  const [name, second] = names;
  if (name === undefined || second !== undefined) {
    throw invalid(
      "transport",
      config,
      `transport must name exactly one of ${[...transports.keys()].join(", ")}`,
    );
  }
  return lookUp(transports, name).configure(
    merge(named[name], overrides[name]),
    `transport.${name}`,
  );
}

function configurePlugins(
  config: unknown,
  plugins: ReadonlyMap<string, RegistrablePlugin>,
  overrides: Overrides,
): readonly Plugin<object>[] {
  const named = requireRecord(config ?? {}, "plugins");
  rejectUnknown(Object.keys(named), [...plugins.keys()], "plugins");
  return Object.entries(named).map(([name, options]) =>
    lookUp(plugins, name).configure(merge(options, overrides[name]), `plugins.${name}`),
  );
}

/** Options of a file (nothing after the colon means none) with those of code on top. */
function merge(fromFile: unknown, fromCode: object | undefined): unknown {
  const options = fromFile ?? {};
  return isRecord(options) && fromCode !== undefined ? { ...options, ...fromCode } : options;
}

function byName<TDefinition extends { readonly name: string }>(
  definitions: readonly TDefinition[],
): ReadonlyMap<string, TDefinition> {
  const found = new Map<string, TDefinition>();
  for (const definition of definitions) {
    if (found.has(definition.name))
      throw invalid("registry", definition.name, `${definition.name} is registered twice`);
    found.set(definition.name, definition);
  }
  return found;
}

function lookUp<TDefinition>(
  definitions: ReadonlyMap<string, TDefinition>,
  name: string,
): TDefinition {
  const definition = definitions.get(name);
  if (definition !== undefined) return definition;
  throw invalid("registry", name, `${name} is not registered`);
}

function rejectUnknown(names: readonly string[], known: readonly string[], path: string): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  const hint =
    nearest === undefined ? `; known are ${known.join(", ")}` : ` (did you mean \`${nearest}\`?)`;
  throw invalid(`${path}.${unknown}`, unknown, `unknown name ${path}.${unknown}${hint}`);
}

function requireRecord(value: unknown, path: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw invalid(
    path,
    value,
    `${path} must be an object, got ${value === null ? "null" : typeof value}`,
  );
}

function invalid(path: string, value: unknown, message: string): BusConfigError {
  return new BusConfigError("BUS_CONFIG", message, { details: { path, value } });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function configurationSchema(
  transports: ReadonlyMap<string, RegistrableTransport>,
  plugins: ReadonlyMap<string, RegistrablePlugin>,
): Readonly<Record<string, unknown>> {
  const sections = (
    definitions: ReadonlyMap<string, { readonly options: object }>,
  ): Record<string, unknown> =>
    Object.fromEntries(
      Array.from(definitions, ([name, { options }]) => [
        name,
        jsonSchemaOf(options) ?? { type: "object" },
      ]),
    );
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    additionalProperties: false,
    required: ["transport"],
    properties: {
      ...settingsSchema(),
      transport: {
        type: "object",
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
        properties: sections(transports),
      },
      plugins: { type: "object", additionalProperties: false, properties: sections(plugins) },
    },
  };
}

/** The settings of a bus itself, as the table of its options describes them. */
function settingsSchema(): Readonly<Record<string, unknown>> {
  const { properties } = jsonSchemaOf(busOptions) ?? {};
  const known = Object.entries(properties ?? {});
  return Object.fromEntries(known.filter(([name]) => SETTINGS.some((setting) => setting === name)));
}
