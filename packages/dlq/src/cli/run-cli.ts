import { BusError } from "@bus/core";
import type { RunCounts } from "../dead-letter-run.ts";
import type { DeadLetters, RunReport } from "../dead-letters.ts";
import { openBus } from "./open-bus.ts";
import { USAGE, parseArguments } from "./parse-arguments.ts";
import type { Command } from "./parse-arguments.ts";
import { letterJson, letterTable, letterText, reportJson, reportText } from "./print-letters.ts";
import { UsageError } from "./usage-error.ts";

/** Where the tool writes to, and what may end it. */
export interface CliSurroundings {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Draws a progress bar over itself; absent where nobody watches. */
  readonly progress: ((text: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/** How the tool ended: 0 done, 1 failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

const BAR_CHARS = 30;

/** Run the tool once. Never rejects; what went wrong is one line. */
export async function runCli(args: readonly string[], around: CliSurroundings): Promise<ExitCode> {
  try {
    const command = parseArguments(args);
    if (command.kind === "help") {
      around.out(`${USAGE}\n`);
      return 0;
    }
    return await carryOut(command, around);
  } catch (error) {
    const isUsage = error instanceof UsageError || BusError.is(error, "BUS_CONFIG");
    around.error(`bus-dlq: ${error instanceof Error ? error.message : String(error)}\n`);
    return isUsage ? 2 : 1;
  }
}

type RealCommand = Exclude<Command, { readonly kind: "help" }>;

async function carryOut(command: RealCommand, around: CliSurroundings): Promise<ExitCode> {
  const { bus, deadLetters } = await openBus(command);
  try {
    await bus.start();
    return await perform(command, deadLetters, around);
  } finally {
    await bus.close();
  }
}

async function perform(
  command: RealCommand,
  deadLetters: DeadLetters,
  around: CliSurroundings,
): Promise<ExitCode> {
  const { signal, out } = around;
  const isJson = command.output === "json";
  switch (command.kind) {
    case "ls": {
      const { filter, state, limit } = command;
      const request = { ...filter, state, signal, ...(limit === undefined ? {} : { limit }) };
      const letters = await deadLetters.list(request);
      out(isJson ? `${JSON.stringify(letters)}\n` : letterTable(letters));
      return 0;
    }
    case "show":
      return show(command, deadLetters, around);
    case "replay": {
      const request = { ...command.filter, ...command.how, signal, onProgress: bar(around) };
      return finish("replayed", await deadLetters.replay(request), { isJson, around });
    }
    case "discard": {
      const request = { ...command.filter, ...command.how, signal, onProgress: bar(around) };
      return finish("discarded", await deadLetters.discard(request), { isJson, around });
    }
    default:
      return command satisfies never;
  }
}

async function show(
  { filter, id, output }: Extract<Command, { readonly kind: "show" }>,
  deadLetters: DeadLetters,
  { signal, out }: CliSurroundings,
): Promise<ExitCode> {
  const { topic, deadLetterTopic } = filter;
  const place = {
    ...(topic === undefined ? {} : { topic }),
    ...(deadLetterTopic === undefined ? {} : { deadLetterTopic }),
  };
  const letters = await deadLetters.inspect({ ...place, id, signal });
  if (letters.length === 0) throw new Error(`there is no dead letter ${id}`);
  const text = letters.map(letterText).join("\n");
  out(output === "json" ? `${JSON.stringify(letters.map(letterJson))}\n` : text);
  return 0;
}

function finish(
  verb: string,
  report: RunReport,
  { isJson, around }: { readonly isJson: boolean; readonly around: CliSurroundings },
): ExitCode {
  around.progress?.("");
  around.out(isJson ? `${JSON.stringify(reportJson(report))}\n` : reportText(verb, report));
  return report.failed + report.heldBack > 0 ? 1 : 0;
}

function bar({ progress }: CliSurroundings): (counts: Readonly<RunCounts>) => void {
  return ({ scanned, total, done, failed }) => {
    const share = total === 0 ? 1 : Math.min(1, scanned / total);
    const filled = "#".repeat(Math.round(share * BAR_CHARS)).padEnd(BAR_CHARS, ".");
    progress?.(`[${filled}] ${scanned} of ${total} looked at, ${done} done, ${failed} failed`);
  };
}
