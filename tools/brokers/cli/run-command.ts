import { BrokersError } from "../brokers-error.ts";
import { clusterView } from "../kafka/kafka-probe.ts";
import { greets } from "../nats/nats-probe.ts";
import { HELP, parseCommand } from "./parse-command.ts";
import type { BrokerKind, StartCommand } from "./parse-command.ts";
import { openSession, runningSessions, stopSession } from "./session.ts";
import type { SessionRecord } from "./session.ts";
import { startBrokers } from "./start-brokers.ts";

/** What a command needs from the process it runs in. */
export interface CommandHost {
  /** Write one line for the user. */
  say(line: string): void;
  /** Write one line about a failure. */
  complain(line: string): void;
  /** Brokers run now and everything about them has been said. */
  ready(): void;
  /** Resolves when the user wants a command in the foreground to end. */
  readonly interrupted: Promise<void>;
  /** Run the same command line in a process of its own; resolves when that one is ready (0) or has failed (1). */
  runInBackground(args: readonly string[]): Promise<0 | 1>;
}

/**
 * Run one command line.
 *
 * @returns Exit status: 0 done, 1 it could not be done, 2 the command line makes no sense.
 */
export async function runCommand(args: readonly string[], host: CommandHost): Promise<0 | 1 | 2> {
  const command = parseCommand(args);
  if (command.name === "mistake") {
    host.complain(`brokers: ${command.message} (see --help)`);
    return 2;
  }
  try {
    if (command.name === "start") return await start(command, args, host);
    if (command.name === "stop") await stop(command.kind, host);
    if (command.name === "status") await status(host);
    if (command.name === "help") host.say(HELP.trimEnd());
    return 0;
  } catch (error) {
    if (!BrokersError.is(error)) throw error;
    host.complain(`brokers: ${error.message}`);
    return 1;
  }
}

async function start(
  command: StartCommand,
  args: readonly string[],
  host: CommandHost,
): Promise<0 | 1> {
  if (command.stay === "background")
    return await host.runInBackground(args.filter((each) => each !== "--detach"));
  await using brokers = await startBrokers(command);
  await using session = await openSession({
    kind: command.kind,
    title: brokers.title,
    addresses: brokers.addresses,
  });
  host.say(brokers.title);
  for (const line of brokers.lines) host.say(line);
  host.ready();
  await Promise.race([host.interrupted, session.stopRequested]);
  await brokers.close(); // before the session answers whoever asked for the stop
  host.say(`${command.kind} stopped`);
  return 0;
}

async function stop(kind: BrokerKind | undefined, host: CommandHost): Promise<void> {
  const sessions = (await runningSessions()).filter(
    (session) => kind === undefined || session.kind === kind,
  );
  if (sessions.length === 0) host.say(`no ${kind ?? "broker"} runs`);
  for (const session of sessions) {
    await stopSession(session);
    host.say(`stopped: ${session.title}`);
  }
}

async function status(host: CommandHost): Promise<void> {
  const sessions = await runningSessions();
  if (sessions.length === 0) host.say("no broker runs");
  for (const session of sessions) {
    host.say(`${session.title}, process ${session.pid}`);
    for (const line of await Promise.all(
      session.addresses.map(async (address) => await answerOf(session, address)),
    ))
      host.say(line);
  }
}

async function answerOf({ kind }: SessionRecord, address: string): Promise<string> {
  const answers =
    kind === "kafka" ? (await clusterView(address)) !== undefined : await greets(address);
  return `  ${address} ${answers ? "answers" : "does not answer"}`;
}
