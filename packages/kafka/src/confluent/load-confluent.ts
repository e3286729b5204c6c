import { BusConfigError } from "@bus/core";
import { createRequire } from "node:module";
import type { ConfluentModule } from "./confluent-client-types.ts";

const PACKAGE = "@confluentinc/kafka-javascript";

/** What building the addon from source needs, by the names of Debian. */
const BUILD_PACKAGES = "g++ python3 libssl-dev libzstd-dev zlib1g-dev libcurl4-openssl-dev";

/** How this module is found; replaced in tests. */
export type RequireModule = (name: string) => unknown;

/**
 * Load Confluent's client. It is a native addon, so it may be missing in two ways: the package, or the binary inside it.
 *
 * @throws BusConfigError `BUS_CONFIG` that says which it is and what to do.
 */
export function loadConfluent(
  requireModule: RequireModule = createRequire(import.meta.url),
): ConfluentModule {
  try {
    // The shape is that of the one version range in peerDependencies; see confluent-client-types.ts.
    return requireModule(PACKAGE) as ConfluentModule;
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    const details = { package: PACKAGE, node: process.version, abi: process.versions.modules };
    throw new BusConfigError(
      "BUS_CONFIG",
      isPackageMissing(cause) ? missingPackage() : missingAddon(reason),
      { cause, details },
    );
  }
}

function isPackageMissing(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "MODULE_NOT_FOUND" && error.message.includes(`'${PACKAGE}'`);
}

function missingPackage(): string {
  return `confluentDriver() needs the package ${PACKAGE}, which is not installed: add it to your dependencies`;
}

function missingAddon(reason: string): string {
  return (
    `the native addon of ${PACKAGE} cannot be loaded by Node ${process.version} (${reason}): ` +
    "let its install script run, which downloads a binary, or build it from source: " +
    `install ${BUILD_PACKAGES} and run CKJS_LINKING=dynamic npm rebuild ${PACKAGE}, with the Node that will load it`
  );
}
