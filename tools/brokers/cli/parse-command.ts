import { parseArgs } from "node:util";

import { KAFKA_VERSIONS } from "../kafka/kafka-runtime.ts";
import type { KafkaVersion } from "../kafka/kafka-runtime.ts";
import { NATS_VERSIONS } from "../nats/nats-cluster.ts";
import type { NatsVersion } from "../nats/nats-cluster.ts";

/** Kinds of brokers. */
export type BrokerKind = "kafka" | "nats";

/** Start one cluster and stay with it, or leave it in the background. */
export type StartCommand = {
  readonly name: "start";
  readonly nodes: 1 | 3;
  readonly stay: "foreground" | "background";
} & (
  | {
      readonly kind: "kafka";
      readonly version: KafkaVersion | undefined;
      readonly listeners: readonly KafkaListener[];
    }
  | { readonly kind: "nats"; readonly version: NatsVersion | undefined }
);

/** Listeners of Kafka that can be asked for beside PLAINTEXT. */
export type KafkaListener = "SASL_SSL" | "SSL" | "SASL_PLAINTEXT";

/** What the command line asks for; `mistake` says in one line what is wrong with it. */
export type Command =
  | StartCommand
  | { readonly name: "stop"; readonly kind: BrokerKind | undefined }
  | { readonly name: "status" }
  | { readonly name: "help" }
  | { readonly name: "mistake"; readonly message: string };

/** Text of `--help`. */
export const HELP: string = `Real Kafka and NATS brokers on this machine, without containers if need be.

  pnpm brokers start kafka [--nodes 1|3] [--version ${KAFKA_VERSIONS.join("|")}] [--tls] [--sasl] [--detach]
  pnpm brokers start nats  [--nodes 1|3] [--version ${NATS_VERSIONS.join("|")}] [--detach]
  pnpm brokers stop [kafka|nats]
  pnpm brokers status

start   prints the addresses and stays until Ctrl-C; with --detach it returns as soon as the brokers are ready
stop    ends what start has started: all of it, or all of one kind
status  lists what runs and whether it answers

--tls and --sasl add listeners: --tls one that demands a client certificate, --sasl one that demands a user, both one that
demands a user over TLS. The plain-text listener is always open. Everything listens on 127.0.0.1 only.
`;

const OPTIONS = {
  nodes: { type: "string" },
  version: { type: "string" },
  tls: { type: "boolean" },
  sasl: { type: "boolean" },
  detach: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const START_OPTIONS: Readonly<Record<BrokerKind, readonly string[]>> = {
  kafka: ["nodes", "version", "tls", "sasl", "detach"],
  nats: ["nodes", "version", "detach"],
};

type Values = Readonly<Record<string, string | boolean | undefined>>;

class Mistake extends Error {}

/** Read a command line. Never throws: what is wrong comes back as a `mistake`. */
export function parseCommand(args: readonly string[]): Command {
  try {
    return parse(args);
  } catch (error) {
    if (error instanceof Mistake) return { name: "mistake", message: error.message };
    throw error;
  }
}

function parse(args: readonly string[]): Command {
  // Without `strict` the parser accepts everything and we can say ourselves, in one line, what is wrong.
  const { values, positionals } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
  });
  const [name, kind, ...rest] = positionals;
  if (values["help"] === true || name === "help" || args.length === 0) return { name: "help" };
  const unknown = Object.keys(values).find((option) => !isOption(option));
  if (unknown !== undefined) throw new Mistake(`unknown option --${unknown}`);
  if (name !== "start" && name !== "stop" && name !== "status") {
    throw new Mistake(`command must be start, stop or status, got ${name ?? "none"}`);
  }
  const tooMany = name === "status" ? positionals[1] : rest[0];
  if (tooMany !== undefined) throw new Mistake(`unexpected argument ${tooMany}`);
  if (name === "start") return parseStart(values, parseKind(kind));
  checkOptions(values, name, []);
  return name === "status"
    ? { name }
    : { name, kind: kind === undefined ? undefined : parseKind(kind) };
}

function checkOptions(values: Values, command: string, allowed: readonly string[]): void {
  for (const [option, value] of Object.entries(values)) {
    if (!isOption(option) || !allowed.includes(option))
      throw new Mistake(`--${option} does not go with ${command}`);
    const { type } = OPTIONS[option];
    if (type === "string" && typeof value !== "string")
      throw new Mistake(`--${option} needs a value`);
    if (type === "boolean" && typeof value !== "boolean")
      throw new Mistake(`--${option} takes no value`);
  }
}

function isOption(name: string): name is keyof typeof OPTIONS {
  return Object.hasOwn(OPTIONS, name);
}

function parseStart(values: Values, kind: BrokerKind): StartCommand {
  checkOptions(values, `start ${kind}`, START_OPTIONS[kind]);
  const stay = values["detach"] === true ? "background" : "foreground";
  const nodes = parseNodes(values["nodes"]);
  if (kind === "nats") {
    return {
      name: "start",
      kind,
      nodes,
      stay,
      version: parseVersion(values["version"], NATS_VERSIONS),
    };
  }
  const version = parseVersion(values["version"], KAFKA_VERSIONS);
  return { name: "start", kind, nodes, stay, version, listeners: parseListeners(values) };
}

function parseKind(kind: string | undefined): BrokerKind {
  if (kind === "kafka" || kind === "nats") return kind;
  throw new Mistake(`broker must be kafka or nats, got ${kind ?? "none"}`);
}

function parseNodes(value: string | boolean | undefined): 1 | 3 {
  if (value === undefined || value === "1") return 1;
  if (value === "3") return 3;
  throw new Mistake(`--nodes must be 1 or 3, got ${String(value)}`);
}

function parseVersion<Version extends string>(
  value: string | boolean | undefined,
  known: readonly Version[],
): Version | undefined {
  const version = known.find((each) => each === value);
  if (value === undefined || version !== undefined) return version;
  throw new Mistake(`--version must be ${known.join(" or ")}, got ${String(value)}`);
}

function parseListeners(values: Values): KafkaListener[] {
  if (values["tls"] === true) return [values["sasl"] === true ? "SASL_SSL" : "SSL"];
  return values["sasl"] === true ? ["SASL_PLAINTEXT"] : [];
}
