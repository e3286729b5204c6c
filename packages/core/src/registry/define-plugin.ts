import type { Plugin, PluginHost, PluginInstance } from "../contracts/plugin.ts";
import { defineNamed } from "./define-transport.ts";
import type { OptionArguments } from "./define-transport.ts";
import { validateOptions } from "../options/validate-options.ts";
import type { OptionSchema } from "../options/validate-options.ts";

/** What a plugin package states about itself, once. */
export interface PluginSpec<TInput, TOptions extends object, Api extends object> {
  /** Name in configuration files and messages. */
  readonly name: string;
  readonly options: OptionSchema<TInput, TOptions>;
  /** Make a plugin with checked options; nothing happens before `install`. */
  create(options: TOptions): { install(host: PluginHost): PluginInstance<Api> };
}

/** A plugin for code (call it) and for configuration files (register it). */
export interface PluginDefinition<TInput, Api extends object> {
  (...options: OptionArguments<TInput>): Plugin<Api>;
  readonly kind: "pluginDefinition";
  readonly name: string;
  readonly options: OptionSchema<TInput, object>;
  /** Configure from unchecked input, as a registry does; `path` is for messages. */
  configure(input: unknown, path: string): Plugin<Api>;
}

/**
 * Define a plugin: `aggregate({ concurrency: 64 })` in code and `plugins: { aggregate: { concurrency: 64 } }` in a
 * configuration file then mean the same.
 *
 * @throws BusConfigError `BUS_CONFIG` from the returned callable, for wrong or unknown options.
 */
export function definePlugin<TInput, TOptions extends object, Api extends object>(
  spec: PluginSpec<TInput, TOptions, Api>,
): PluginDefinition<TInput, Api> {
  const configure = (input: unknown, path: string): Plugin<Api> => {
    const options = validateOptions(spec.options, input, path);
    return Object.freeze({
      kind: "plugin",
      name: spec.name,
      options: Object.freeze({ ...options }),
      install: (host: PluginHost) => spec.create(options).install(host),
    });
  };
  const factory = (...options: OptionArguments<TInput>): Plugin<Api> =>
    configure(options[0], spec.name);
  return defineNamed(factory, {
    kind: "pluginDefinition" as const,
    name: spec.name,
    options: spec.options,
    configure,
  });
}
