import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The folder that holds the workspace's package.json. */
export const ROOT: string = dirname(dirname(import.meta.dirname));

/** What the checks read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [field: string]: unknown;
}

/** One way into a package, as its `exports` name it. */
export interface Entry {
  /** What users import, for example `@bus/kafka/kafkajs`. */
  readonly specifier: string;
  /** Name of its API report, for example `kafkajs`; the root is `index`. */
  readonly name: string;
  /** Path of the source file, relative to the package, for example `./src/kafkajs/index.ts`. */
  readonly source: string;
  /** Path of the declarations, relative to the package. */
  readonly types: string;
}

/** One package that users install. */
export interface WorkspacePackage {
  /** Absolute path. */
  readonly folder: string;
  /** Name of the folder, for example `kafka`. */
  readonly folderName: string;
  readonly manifest: Manifest;
  /** The ways in that carry code. */
  readonly entries: readonly Entry[];
}

/** Every package under packages/ that is not private, by name of its folder. */
export async function publicPackages(root: string = ROOT): Promise<readonly WorkspacePackage[]> {
  const names = (await readdir(join(root, "packages"))).toSorted();
  const found = await Promise.all(names.map((name) => readPackage(join(root, "packages"), name)));
  return found.flatMap((each) =>
    each === undefined || each.manifest.private === true ? [] : [each],
  );
}

async function readPackage(
  parent: string,
  folderName: string,
): Promise<WorkspacePackage | undefined> {
  const folder = join(parent, folderName);
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const manifest = JSON.parse(text) as Manifest;
  return { folder, folderName, manifest, entries: entriesOf(manifest) };
}

/** The entries of `exports` that carry code: all but `./package.json`. */
export function entriesOf(manifest: Manifest): readonly Entry[] {
  return Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
    if (typeof target === "string") return [];
    return [
      {
        specifier: manifest.name + subpath.slice(1),
        name: subpath === "." ? "index" : subpath.slice(2).replaceAll("/", "-"),
        source: target["@bus/source"] ?? "",
        types: target["types"] ?? "",
      },
    ];
  });
}
