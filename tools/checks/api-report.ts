import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import type { ExtractorMessage } from "@microsoft/api-extractor";

import { ROOT } from "./workspace.ts";
import type { Entry, WorkspacePackage } from "./workspace.ts";

const TEMP = join(ROOT, "temp", "api");

/** What one entry of a package offers, in a form that diffs well. */
export interface ApiReport {
  readonly entry: Entry;
  /** The text of `etc/<entry>.api.md`. */
  readonly text: string;
  /** Types that the declarations mention and the entry does not export. */
  readonly forgotten: readonly string[];
  /** Declarations that TypeScript rejects. */
  readonly errors: readonly string[];
}

/** Read the built declarations of one entry. */
export async function readApi(owner: WorkspacePackage, entry: Entry): Promise<ApiReport> {
  const folder = join(TEMP, owner.folderName);
  await mkdir(folder, { recursive: true });
  const forgotten: string[] = [];
  const errors: string[] = [];
  Extractor.invoke(extractorConfig(owner, entry, folder), {
    localBuild: true,
    messageCallback: (message) => {
      message.handled = true;
      if (isCompilerError(message)) errors.push(message.formatMessageWithLocation(owner.folder));
      const symbol = forgottenSymbol(message);
      if (symbol !== undefined) forgotten.push(symbol);
    },
  });
  const text = await readFile(join(folder, `${entry.name}.api.md`), "utf8");
  return { entry, text, forgotten, errors };
}

/** The names that a report exports. */
export function exportedNames(report: ApiReport): readonly string[] {
  const declarations = report.text.matchAll(/^export (?:abstract |declare )*[a-z]+ (\w+)/gm);
  return [...declarations].map((match) => match[1] ?? "");
}

/** The exported names of a report that have no docstring on any of their declarations. */
export function undocumentedNames(report: ApiReport): readonly string[] {
  const declarations = report.text.matchAll(
    /^\/\/ @public( \(undocumented\))?\nexport (?:abstract |declare )*[a-z]+ (\w+)/gm,
  );
  const found = [...declarations].map(([, mark, name = ""]) => ({
    name,
    isDocumented: mark === undefined,
  }));
  const documented = new Set(found.filter((each) => each.isDocumented).map(({ name }) => name));
  return found.filter(({ name }) => !documented.has(name)).map(({ name }) => name);
}

/**
 * Interfaces and classes that users meet in signatures, but that the entry does not export. A type alias may stay private: it
 * is spelled out where it is used, and only the report shows it.
 */
export function unnamedTypes(report: ApiReport): readonly string[] {
  return report.forgotten.filter((name) =>
    new RegExp(`^(?:declare |abstract )*(?:interface|class) ${name}\\b`, "m").test(report.text),
  );
}

function extractorConfig(owner: WorkspacePackage, entry: Entry, folder: string): ExtractorConfig {
  const reporting = { default: { logLevel: ExtractorLogLevel.Warning } };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(owner.folder, "package.json"),
    configObject: {
      projectFolder: owner.folder,
      mainEntryPointFilePath: join(owner.folder, entry.types),
      newlineKind: "lf",
      compiler: { tsconfigFilePath: join(owner.folder, "tsconfig.build.json") },
      apiReport: {
        enabled: true,
        reportFileName: `${entry.name}.api.md`,
        reportFolder: folder,
        reportTempFolder: join(folder, "new"),
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: { extractorMessageReporting: reporting, compilerMessageReporting: reporting },
    },
  });
}

function isCompilerError(message: ExtractorMessage): boolean {
  return message.messageId.startsWith("TS");
}

function forgottenSymbol(message: ExtractorMessage): string | undefined {
  if (message.messageId !== "ae-forgotten-export") return undefined;
  return /The symbol "(\w+)"/.exec(message.text)?.[1];
}
