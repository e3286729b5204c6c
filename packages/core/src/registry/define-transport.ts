import type { ConfiguredTransport, Transport, TransportHost } from "../contracts/transport.ts";
import { validateOptions } from "../options/validate-options.ts";
import type { OptionSchema } from "../options/validate-options.ts";

/** What a transport package states about itself, once. */
export interface TransportSpec<TInput, TOptions extends object> {
  /** Name in configuration files and messages. */
  readonly name: string;
  readonly options: OptionSchema<TInput, TOptions>;
  /** Make the transport; no I/O before `connect()`. Throws `BUS_UNSUPPORTED` for options that the client cannot honour. */
  create(options: TOptions, host: TransportHost): Transport;
}

/** Options may be left out when none is required. */
export type OptionArguments<TInput> =
  Partial<TInput> extends TInput ? [options?: TInput] : [options: TInput];

/** A transport for code (call it) and for configuration files (register it). */
export interface TransportDefinition<TInput> {
  (...options: OptionArguments<TInput>): ConfiguredTransport;
  readonly kind: "transportDefinition";
  readonly name: string;
  readonly options: OptionSchema<TInput, object>;
  /** Configure from unchecked input, as a registry does; `path` is for messages. */
  configure(input: unknown, path: string): ConfiguredTransport;
}

/**
 * Define a transport: `kafka({ brokers })` in code and `transport: { kafka: { brokers } }` in a configuration file
 * then mean the same.
 *
 * @throws BusConfigError `BUS_CONFIG` from the returned callable, for wrong or unknown options.
 */
export function defineTransport<TInput, TOptions extends object>(
  spec: TransportSpec<TInput, TOptions>,
): TransportDefinition<TInput> {
  const configure = (input: unknown, path: string): ConfiguredTransport => {
    const options = validateOptions(spec.options, input, path);
    return Object.freeze({
      kind: "transport",
      name: spec.name,
      options: Object.freeze({ ...options }),
      create: (host: TransportHost) => spec.create(options, host),
    });
  };
  const factory = (...options: OptionArguments<TInput>): ConfiguredTransport =>
    configure(options[0], spec.name);
  return defineNamed(factory, {
    kind: "transportDefinition" as const,
    name: spec.name,
    options: spec.options,
    configure,
  });
}

/** Give a function the members of a definition, `name` included (which plain assignment refuses). */
export function defineNamed<TFunction extends object, TMembers extends object>(
  target: TFunction,
  members: TMembers,
): TFunction & TMembers {
  for (const [key, value] of Object.entries(members)) {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true });
  }
  return Object.freeze(target as TFunction & TMembers); // the members were just defined
}
