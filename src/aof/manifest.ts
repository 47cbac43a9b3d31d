/**
 * The append-only file of Redis 7 and later, in several parts: a folder with a base, increments, and a manifest with
 * one line for each of them.
 *
 *     file NAME seq NUMBER type b|i|h        base, increment, history (no longer needed); NAME may be quoted
 */
import { basename, dirname, join } from "node:path";
import { splitWords } from "../settings/config_file.ts";
import { AofError } from "./replay.ts";

/** The usual name of the folder, within the working folder of a redis-server. */
export const PARTS_FOLDER = "appendonlydir";
const PARTS_NAME = "appendonly.aof";
const SUFFIX = ".manifest";

interface Part {
  readonly name: string;
  readonly sequence: number;
  readonly type: string;
}

/**
 * The files of a path in the order of loading: the file itself, or the files of the manifest if the path is a manifest,
 * its folder, or the parent of that folder. Throws AofError.
 */
export function partsOf(path: string): string[] {
  if (path.endsWith(SUFFIX)) return readManifest(path);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new AofError(`there is no ${path}`);
    throw error;
  }
  if (!info.isDirectory) return [path];
  const names = [...Deno.readDirSync(path)];
  const manifests = names.filter(({ name }) => name.endsWith(SUFFIX));
  if (manifests.length === 1) return readManifest(join(path, manifests[0].name));
  const inner = names.find(({ name, isDirectory }) => isDirectory && name === PARTS_FOLDER);
  if (manifests.length === 0 && inner !== undefined) return partsOf(join(path, PARTS_FOLDER));
  throw new AofError(
    `${path} has ${manifests.length === 0 ? "no" : manifests.length} manifest${
      manifests.length === 0 ? "" : "s"
    } (*${SUFFIX})`,
  );
}

/** Makes the folder for a redis-server with the working folder `folder`. Returns the path for the base. */
export async function createParts(folder: string): Promise<string> {
  const parts = join(folder, PARTS_FOLDER);
  await Deno.mkdir(folder, { recursive: true });
  try {
    await Deno.mkdir(parts);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new AofError(`${parts} is there already: name another folder`);
    }
    throw error;
  }
  return join(parts, `${PARTS_NAME}.1.base.rdb`);
}

/** Writes an empty increment and the manifest beside a complete base. */
export async function finishParts(base: string): Promise<void> {
  const folder = dirname(base), increment = `${PARTS_NAME}.1.incr.aof`;
  await Deno.writeFile(join(folder, increment), new Uint8Array(0), { createNew: true });
  const lines = [`file ${basename(base)} seq 1 type b`, `file ${increment} seq 1 type i`];
  await Deno.writeTextFile(join(folder, `${PARTS_NAME}${SUFFIX}`), `${lines.join("\n")}\n`, { createNew: true });
}

function readManifest(path: string): string[] {
  const parts: Part[] = [];
  for (const [i, line] of Deno.readTextFileSync(path).split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    parts.push(readPart(line) ?? fail(`${path}, line ${i + 1}: this is no part: ${line.trim()}`));
  }
  const bases = parts.filter(({ type }) => type === "b");
  const increments = parts.filter(({ type }) => type === "i").sort((a, b) => a.sequence - b.sequence);
  if (bases.length > 1) fail(`${path} names ${bases.length} bases`);
  if (bases.length + increments.length === 0) fail(`${path} names no files`);
  return [...bases, ...increments].map(({ name }) => join(dirname(path), name));
}

function readPart(line: string): Part | undefined {
  const words = splitWords(line) ?? [];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2) fields.set(words[i].toLowerCase(), words[i + 1]);
  const name = fields.get("file"), sequence = Number(fields.get("seq")), type = fields.get("type") ?? "";
  // All parts are in the folder of the manifest.
  if (name === undefined || basename(name) !== name || !(sequence > 0) || !["b", "i", "h"].includes(type)) {
    return undefined;
  }
  return { name, sequence, type };
}

function fail(reason: string): never {
  throw new AofError(reason);
}
