import { parseArgs } from "node:util";
import type { DeadLetterFilter } from "../dead-letter-filter.ts";
import type { DiscardRequest, ReplayRequest } from "../dead-letter-requests.ts";
import { UsageError } from "./usage-error.ts";

/** What `bus-dlq --help` says. */
export const USAGE = `usage: bus-dlq <command> [options]

commands
  ls               list dead letters (default: the open ones)
  show <id>        show every death of one message
  replay           publish dead letters to the topic they came from
  discard          give dead letters up, with an audit record

where
  --config <file>             configuration of the bus, YAML or JSON (default: bus.yaml)
  --transport-package <name>  package of the transport (default: @bus/<name in the configuration>)
  --topic <name>              topic that the messages failed in
  --dead-letter-topic <name>  topic that the dead letters are in

which
  --group <name>  --class <class>  --name <error name>  --fingerprint <text>  --id <id> (repeatable)
  --since <time>  --until <time>   last failed in this span; ISO 8601
  --state <state>                  ls: open, replayed, discarded or all
  --limit <n>

how
  --dry-run            replay, discard: count, do nothing
  --yes                replay, discard: do it
  --rate <n>           replay: messages a second at most
  --concurrency <n>    replay: partitions at the same time
  --reason <text>      discard: why; kept in the audit record
  --by <text>          discard: who; kept in the audit record
  --json               print JSON

exit codes: 0 done, 1 failed, 2 wrong usage`;

/** A command line, understood. */
export type Command =
  | { readonly kind: "help" }
  | (CommandBase & { readonly kind: "ls"; readonly state: ListState; readonly limit?: number })
  | (CommandBase & { readonly kind: "show"; readonly id: string })
  | (CommandBase & {
      readonly kind: "replay";
      readonly how: Omit<ReplayRequest, keyof DeadLetterFilter>;
    })
  | (CommandBase & {
      readonly kind: "discard";
      readonly how: Omit<DiscardRequest, keyof DeadLetterFilter>;
    });

type ListState = "open" | "replayed" | "discarded" | "all";

/** What every command has. */
export interface CommandBase {
  readonly config: string;
  readonly transportPackage?: string;
  readonly filter: DeadLetterFilter;
  readonly output: "text" | "json";
}

interface RunArguments {
  readonly dryRun: boolean;
  readonly limit?: number;
}

const OPTIONS = {
  config: { type: "string" },
  "transport-package": { type: "string" },
  topic: { type: "string" },
  "dead-letter-topic": { type: "string" },
  group: { type: "string" },
  class: { type: "string" },
  name: { type: "string" },
  fingerprint: { type: "string" },
  id: { type: "string", multiple: true },
  since: { type: "string" },
  until: { type: "string" },
  state: { type: "string" },
  limit: { type: "string" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean" },
  rate: { type: "string" },
  concurrency: { type: "string" },
  reason: { type: "string" },
  by: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const COMMON = ["config", "transport-package", "topic", "dead-letter-topic", "json"];
const FILTERS = ["group", "class", "name", "fingerprint", "id", "since", "until", "limit"];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  ls: [...COMMON, ...FILTERS, "state"],
  show: COMMON,
  replay: [...COMMON, ...FILTERS, "dry-run", "yes", "rate", "concurrency"],
  discard: [...COMMON, ...FILTERS, "dry-run", "yes", "reason", "by"],
};

type Values = ReturnType<typeof parse>["values"];

/**
 * Understand a command line.
 *
 * @throws UsageError with one line for a person.
 */
export function parseArguments(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const [name, ...rest] = positionals;
  if (values.help === true || (name === undefined && args.length === 0)) return { kind: "help" };
  const allowed = ALLOWED[name ?? ""];
  if (name === undefined || allowed === undefined)
    throw new UsageError(`unknown command ${name ?? ""}; known are ls, show, replay, discard`);
  const stray = Object.keys(values).find((option) => !allowed.includes(option));
  if (stray !== undefined) throw new UsageError(`${name} has no option --${stray}`);
  const base = baseOf(values);
  if (name === "show") return { kind: "show", ...base, id: onlyId(rest) };
  if (rest.length > 0) throw new UsageError(`${name} takes no argument, got ${rest.join(" ")}`);
  if (name === "ls")
    return { kind: "ls", ...base, state: stateOf(values.state), ...limitOf(values) };
  return name === "replay" ? replayOf(values, base) : discardOf(values, base);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(
      error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error),
    );
  }
}

function baseOf(values: Values): CommandBase {
  const {
    topic,
    "dead-letter-topic": deadLetterTopic,
    "transport-package": transportPackage,
  } = values;
  if (topic === undefined && deadLetterTopic === undefined)
    throw new UsageError("--topic or --dead-letter-topic is needed");
  const filter = {
    ...given("topic", topic),
    ...given("deadLetterTopic", deadLetterTopic),
    ...given("group", values.group),
    ...given("errorClass", values.class),
    ...given("errorName", values.name),
    ...given("fingerprint", values.fingerprint),
    ...given("ids", values.id),
    ...given("failedFromMs", timeOf("since", values.since)),
    ...given("failedBeforeMs", timeOf("until", values.until)),
  };
  return {
    config: values.config ?? "bus.yaml",
    ...given("transportPackage", transportPackage),
    filter,
    output: values.json === true ? "json" : "text",
  };
}

function replayOf(values: Values, base: CommandBase): Command {
  const how = {
    ...runOf("replay", values),
    ...given("ratePerSecond", numberOf("rate", values.rate)),
    ...given("concurrency", integerOf("concurrency", values.concurrency)),
  };
  return { kind: "replay", ...base, how };
}

function discardOf(values: Values, base: CommandBase): Command {
  const { reason = "" } = values;
  if (reason.trim() === "")
    throw new UsageError("discard needs --reason: it is kept in the audit record");
  const how = { ...runOf("discard", values), reason, ...given("by", values.by) };
  return { kind: "discard", ...base, how };
}

function runOf(command: string, values: Values): RunArguments {
  const dryRun = values["dry-run"] === true;
  if (!dryRun && values.yes !== true)
    throw new UsageError(`${command} changes things: add --yes to do it, or --dry-run to count`);
  return { dryRun, ...limitOf(values) };
}

function limitOf(values: Values): { readonly limit?: number } {
  return given("limit", integerOf("limit", values.limit));
}

function onlyId(rest: readonly string[]): string {
  const [id, second] = rest;
  if (id === undefined || second !== undefined)
    throw new UsageError("show takes one argument: the id");
  return id;
}

function stateOf(state = "open"): ListState {
  if (state === "open" || state === "replayed" || state === "discarded" || state === "all")
    return state;
  throw new UsageError(`--state must be open, replayed, discarded or all, got ${state}`);
}

function integerOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
  throw new UsageError(`--${name} must be a positive integer, got ${value}`);
}

function numberOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`--${name} must be a positive number, got ${value}`);
}

function timeOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const timeMs = Date.parse(value);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new UsageError(`--${name} must be a time such as 2001-01-13T14:56:00Z, got ${value}`);
}

/** An object with one member, or with none when there is no value. */
function given<Name extends string, TValue>(
  name: Name,
  value: TValue | undefined,
): { readonly [Key in Name]?: TValue } {
  if (value === undefined) return {};
  // A computed key widens to string; it is `name`.
  return { [name]: value } as { readonly [Key in Name]?: TValue };
}
