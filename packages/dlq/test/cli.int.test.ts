import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "./support/run-cli.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const refused: readonly (readonly [args: string, message: string])[] = [
  ["frob", "unknown command frob; known are ls, show, replay, discard"],
  ["ls", "--topic or --dead-letter-topic is needed"],
  ["ls --topic t --bogus", "Unknown option '--bogus'"],
  ["ls --topic t --limit 0", "--limit must be a positive integer, got 0"],
  ["ls --topic t --state dead", "--state must be open, replayed, discarded or all, got dead"],
  ["ls --topic t --since soon", "--since must be a time such as 2001-01-13T14:56:00Z, got soon"],
  ["ls --topic t --yes", "ls has no option --yes"],
  ["show --topic t", "show takes one argument: the id"],
  ["replay --topic t", "replay changes things: add --yes to do it, or --dry-run to count"],
  ["replay --topic t --dry-run --rate 0", "--rate must be a positive number, got 0"],
  ["discard --topic t --yes", "discard needs --reason: it is kept in the audit record"],
  [
    "discard --topic t --reason x",
    "discard changes things: add --yes to do it, or --dry-run to count",
  ],
];

test.each(refused)(
  "bus-dlq %s ends with 2 and one line",
  async (args, message) => {
    const result = await runCli(...args.split(" "));
    expect(result).toEqual({ code: 2, out: "", error: `bus-dlq: ${message}\n` });
  },
  60_000,
);

test("a configuration that is wrong ends with 2 and one line that says what", async () => {
  await using folder = await temporaryFolder();
  const config = join(folder.path, "bus.yaml");
  const ls = async (text: string): Promise<string> => {
    await writeFile(config, text);
    const { code, error } = await runCli("ls", "--topic", "t", "--config", config);
    expect(code).toBe(2);
    expect(error.trim().split("\n")).toHaveLength(1);
    return error;
  };
  expect(
    (await runCli("ls", "--topic", "t", "--config", join(folder.path, "none.yaml"))).error,
  ).toContain("ENOENT");
  expect(await ls("plugins: {}")).toContain("names no transport");
  expect(await ls("transport: { pigeon: {} }")).toContain(
    "cannot load the transport from @bus/pigeon",
  );
  expect(await ls("transport: { memory: { partition: 3 } }")).toContain("partitions");
  expect(await ls("transport: [")).toContain("cannot read");
}, 60_000);

test("help ends with 0; a topic without dead letters is no error", async () => {
  expect(await runCli("--help")).toMatchObject({ code: 0, error: "" });
  await using folder = await temporaryFolder();
  const config = join(folder.path, "bus.yaml");
  await writeFile(
    config,
    "group: billing\ntransport: memory\nplugins:\n  dlq:\n  metrics: { port: 1 }\n",
  );
  expect(await runCli("ls", "--topic", "t", "--config", config)).toEqual({
    code: 0,
    out: "no dead letters\n",
    error: "",
  });
}, 60_000);
