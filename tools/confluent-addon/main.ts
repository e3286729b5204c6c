import { AddonError } from "./addon-error.ts";
import { ensureConfluentAddon } from "./ensure-confluent-addon.ts";

const HELP = `Prepare the native addon of @confluentinc/kafka-javascript for the Node that runs this.

Builds it from the sources in the package when it is neither in place nor in the cache. As root, missing Debian packages are
installed; otherwise they are named. Takes no options.
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<0 | 1 | 2> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  if (args.length > 0) {
    process.stderr.write(`confluent-addon: unexpected argument ${args[0]} (see --help)\n`);
    return 2;
  }
  try {
    await ensureConfluentAddon({
      say: (line) => void process.stdout.write(`confluent-addon: ${line}\n`),
    });
    return 0;
  } catch (error) {
    if (!(error instanceof AddonError)) throw error;
    process.stderr.write(`confluent-addon: ${error.message}\n`);
    return 1;
  }
}
