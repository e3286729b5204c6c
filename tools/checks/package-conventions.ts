import type { Manifest } from "./workspace.ts";

const CORE = "@bus/core";
const ENGINES = ">=22.12";
const ENTRY_KEYS = ["@bus/source", "types", "default"];
const FORBIDDEN_FIELDS = ["main", "module", "types", "typings", "browser"];

/** Packages that bring nothing along, and what they may depend on all the same: types that vanish at run time. */
const WITHOUT_DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  "@bus/core": ["@standard-schema/spec"],
  "@bus/memory": [],
  "@bus/testkit": [],
};

/**
 * What is unusual about the package.json of a public package; see CONTRIBUTING.md, "Packages".
 *
 * @param folderName - Folder under packages/.
 * @returns One line per problem, without the file's name.
 */
export function packageProblems(manifest: Manifest, folderName: string): readonly string[] {
  return [
    ...fieldProblems(manifest, folderName),
    ...Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) =>
      entryProblems(subpath, target),
    ),
    ...dependencyProblems(manifest),
    ...peerProblems(manifest),
  ];
}

function fieldProblems(manifest: Manifest, folderName: string): readonly string[] {
  const wanted: Readonly<Record<string, unknown>> = {
    name: `@bus/${folderName}`,
    license: "MIT",
    type: "module",
    sideEffects: false,
    engines: { node: ENGINES },
    publishConfig: { access: "public", provenance: true },
    scripts: { build: "tsc -p tsconfig.build.json" },
  };
  const wrong = Object.entries(wanted).filter(
    ([field, value]) => JSON.stringify(manifest[field]) !== JSON.stringify(value),
  );
  const forbidden = FORBIDDEN_FIELDS.filter((field) => field in manifest);
  const description = manifest["description"];
  const files = Array.isArray(manifest["files"]) ? manifest["files"] : [];
  return [
    ...wrong.map(
      ([field, value]) =>
        `${field} must be ${JSON.stringify(value)}, is ${JSON.stringify(manifest[field])}`,
    ),
    ...forbidden.map((field) => `${field} is not used: exports says it`),
    ...(typeof description === "string" && description !== "" ? [] : ["description is missing"]),
    ...["dist", "src"].filter((name) => !files.includes(name)).map((name) => `files lacks ${name}`),
    ...(manifest.exports?.["./package.json"] === "./package.json"
      ? []
      : ['exports lacks "./package.json"']),
    ...(manifest.exports?.["."] === undefined ? ['exports lacks "."'] : []),
  ];
}

function entryProblems(
  subpath: string,
  target: string | Readonly<Record<string, string>>,
): readonly string[] {
  if (typeof target === "string") return [];
  const keys = Object.keys(target);
  if (keys.join() !== ENTRY_KEYS.join())
    return [`exports["${subpath}"] must have ${ENTRY_KEYS.join(", ")} in this order`];
  const source = target["@bus/source"] ?? "";
  const stem = /^\.\/src\/(.+)\.ts$/.exec(source)?.[1];
  if (stem === undefined)
    return [`exports["${subpath}"]["@bus/source"] must be a file of src, is ${source}`];
  const wanted = { types: `./dist/${stem}.d.ts`, default: `./dist/${stem}.js` };
  return Object.entries(wanted)
    .filter(([key, file]) => target[key] !== file)
    .map(([key, file]) => `exports["${subpath}"].${key} must be ${file}, is ${target[key]}`);
}

function dependencyProblems(manifest: Manifest): readonly string[] {
  const dependencies = Object.entries(manifest.dependencies ?? {});
  const allowed = WITHOUT_DEPENDENCIES[manifest.name];
  const internal = dependencies.filter(([name]) => name.startsWith("@bus/"));
  const surplus =
    allowed === undefined ? [] : dependencies.filter(([name]) => !allowed.includes(name));
  const literal = [...dependencies, ...Object.entries(manifest.devDependencies ?? {})].filter(
    ([name, range]) => !name.startsWith("@bus/") && range !== "catalog:",
  );
  return [
    ...internal.map(([name]) => `${name} must be a peer, or there could be two of it`),
    ...surplus.map(([name]) => `${manifest.name} has no run-time dependencies, found ${name}`),
    ...literal.map(
      ([name, range]) => `${name} must take its version from the catalog, has ${range}`,
    ),
  ];
}

function peerProblems(manifest: Manifest): readonly string[] {
  const peers = Object.entries(manifest.peerDependencies ?? {});
  const internal = peers.filter(([name]) => name.startsWith("@bus/"));
  const lifted = internal.filter(([, range]) => range.startsWith("workspace:"));
  const strangers = internal.filter(([name]) => name !== CORE);
  const withoutCore = manifest.name !== CORE && manifest.peerDependencies?.[CORE] === undefined;
  const unlinked =
    withoutCore || manifest.name === CORE
      ? false
      : manifest.devDependencies?.[CORE] !== "workspace:^";
  return [
    ...lifted.map(
      ([name]) => `the peer range of ${name} must be literal: workspace: lifts it at every publish`,
    ),
    ...strangers.map(([name]) => `${name} cannot be a peer: plugins meet through services`),
    ...(withoutCore ? [`${CORE} must be a peer`] : []),
    ...(unlinked ? [`${CORE} must be in devDependencies as workspace:^`] : []),
  ];
}
