/** A machine for tests of options: files by path, a folder to stand in, an environment. */
import { basename, dirname, resolve } from "node:path";
import type { Surroundings } from "../../src/server/options.ts";

/** The folder that relative paths start from. */
export const FOLDER = resolve("/srv");

/** A machine that has these files, by path relative to its folder. */
export function machine(
  files: Readonly<Record<string, string>> = {},
  environment: Record<string, string> = {},
): Surroundings {
  const byPath = new Map(
    Object.entries(files).map(([path, text]) => [path === "-" ? path : resolve(FOLDER, path), text]),
  );
  const folders = new Set([FOLDER, resolve(FOLDER, "data")]);
  for (const path of byPath.keys()) {
    for (let folder = dirname(path); !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  }
  return {
    environment,
    folder: FOLDER,
    readFile(path) {
      const text = byPath.get(path);
      if (text === undefined) throw new Deno.errors.NotFound(path);
      return text;
    },
    readFolder: (folder) =>
      [...byPath.keys(), ...folders].filter((path) => dirname(path) === folder).map((path) => basename(path)),
    kindOf: (path) => byPath.has(path) ? "file" : folders.has(path) ? "folder" : undefined,
  };
}
