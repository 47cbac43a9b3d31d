/**
 * `memdb check-aof`: reports the contents of an append-only file, whether it is intact, and where it is damaged. On
 * request it truncates the file or seals it again, after making a copy. It reads Redis's files too. It never changes a
 * file that a server has open.
 */
import { asideName } from "../core/aside.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { exists } from "../rdb/ownership.ts";
import { isRdb, RdbLoader } from "../rdb/loader.ts";
import { HEAD_BYTES, RdbError } from "../rdb/format.ts";
import { RdbInput } from "../rdb/input.ts";
import { Checksum } from "../aof/checksum.ts";
import { AofReader, Damage, Item, shownCommand } from "../aof/reader.ts";
import { partsOf } from "../aof/manifest.ts";
import { Replay } from "../aof/replay.ts";
import { type Verdict, verify } from "../aof/verify.ts";

export const CHECK_AOF_HELP = `Usage: memdb check-aof FILE [flags]

Checks an append-only file of MemDB or Redis, or a folder of Redis
(appendonlydir), and reports its contents. Only --fix, --truncate-to and
--reseal change the file, and they make a copy first.

  --fix                  cut the file where the damage begins
  --truncate-to OFFSET   keep the commands that end at or before this byte
  --truncate-to TIME     keep the commands up to a time, as 2026-01-31T12:00:00Z
                         or @SECONDS; only where Redis wrote timestamps
  --reseal               accept a file that was edited: renew all checksums
  --list                 print each command with the byte where it begins
  --quick                do not load the data: no count of keys

Exit status: 0 the file is whole, or has been repaired; 1 it is damaged; 2 it
could not be checked.
`;

const EXIT_DAMAGED = 1, EXIT_FAILURE = 2;
const PIECE_BYTES = 1024 * 1024;
/** Approximate bytes between two seals when a file is sealed again. */
const GROUP_BYTES = 64 * 1024;

export interface CheckSurroundings {
  /** An empty engine that loads the data. */
  createEngine(): { engine: Engine; executor: Executor };
  out(line: string): void;
  error(line: string): void;
}

interface CheckOptions {
  path: string;
  fix: boolean;
  truncateTo: { offset: number } | { ms: number } | undefined;
  reseal: boolean;
  list: boolean;
  quick: boolean;
}

/** A file that cannot be checked or repaired; the message is one line for the user. */
class CheckError extends Error {
  override name = "CheckError";
}

/** Runs `memdb check-aof`. Returns the exit status. */
export async function checkAof(args: readonly string[], surroundings: CheckSurroundings): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    surroundings.out(CHECK_AOF_HELP.trimEnd());
    return 0;
  }
  try {
    const options = parseOptions(args);
    const paths = filesOf(options.path);
    let status = 0;
    for (const [i, path] of paths.entries()) {
      const result = await new Check(path, { ...options, path }, surroundings, i === paths.length - 1).run();
      status = Math.max(status, result);
    }
    return status;
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    surroundings.error(`memdb check-aof: ${error.message}`);
    return EXIT_FAILURE;
  }
}

function parseOptions(args: readonly string[]): CheckOptions {
  const options: CheckOptions = {
    path: "",
    fix: false,
    truncateTo: undefined,
    reseal: false,
    list: false,
    quick: false,
  };
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = args[i].startsWith("--") ? args[i].split(/=(.*)/s) : [args[i]];
    switch (flag) {
      case "--fix":
      case "--reseal":
      case "--list":
      case "--quick":
        if (inline !== undefined) throw new CheckError(`${flag} takes no value`);
        options[flag.slice(2) as "fix" | "reseal" | "list" | "quick"] = true;
        break;
      case "--truncate-to":
        options.truncateTo = parsePlace(inline ?? args[++i] ?? "");
        break;
      default:
        if (flag.startsWith("-") && flag !== "-") {
          throw new CheckError(`unknown flag ${flag}; see memdb check-aof --help`);
        }
        if (options.path !== "") throw new CheckError(`one file at a time: ${options.path} or ${flag}`);
        options.path = flag;
    }
  }
  if (options.path === "") throw new CheckError("which file? memdb check-aof FILE; see --help");
  const repairs = [options.fix, options.truncateTo !== undefined, options.reseal].filter((wanted) => wanted).length;
  if (repairs > 1) throw new CheckError("--fix, --truncate-to and --reseal exclude each other");
  return options;
}

function parsePlace(text: string): { offset: number } | { ms: number } {
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  const ms = /^@\d{1,12}$/.test(text) ? Number(text.slice(1)) * 1000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new CheckError(`--truncate-to needs a byte offset or a time, not '${text}'`);
  return { ms };
}

/** The files behind a path, as partsOf finds them. */
function filesOf(path: string): string[] {
  try {
    return partsOf(path);
  } catch (error) {
    throw new CheckError(`cannot check ${path}: ${(error as Error).message}`);
  }
}

/** The check of one file. */
class Check {
  readonly #path: string;
  readonly #options: CheckOptions;
  readonly #surroundings: CheckSurroundings;
  /** Only the last file of a folder may end in a truncated command, and only the last file may be changed. */
  readonly #isLast: boolean;
  readonly #engine: Engine;
  readonly #executor: Executor;
  #file!: Deno.FsFile;

  constructor(path: string, options: CheckOptions, surroundings: CheckSurroundings, isLast: boolean) {
    this.#path = path;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#isLast = isLast;
    ({ engine: this.#engine, executor: this.#executor } = surroundings.createEngine());
  }

  async run(): Promise<number> {
    const { fix, truncateTo, reseal, list } = this.#options;
    const changes = this.#isLast && (fix || truncateTo !== undefined || reseal);
    this.#open(changes);
    try {
      const start = this.#snapshot();
      if (start < 0) return EXIT_DAMAGED;
      const bar = new Bar("Checking", this.#file.statSync().size);
      const { table } = this.#executor;
      const verdict = await verify(this.#file, {
        start,
        knows: ({ bytes, start, end }) => table.find(bytes, start[0], end[0]) !== undefined,
        pause: (bytes) => bar.show(bytes),
      }).finally(() => bar.end());
      if (list) this.#list(verdict);
      await this.#report(verdict);
      if (!changes) return verdict.damage === undefined ? 0 : EXIT_DAMAGED;
      if (reseal) return this.#reseal(verdict);
      if (truncateTo !== undefined) return this.#truncateTo(verdict, truncateTo);
      return this.#fix(verdict);
    } finally {
      this.#file.close();
    }
  }

  #open(changes: boolean): void {
    try {
      this.#file = Deno.openSync(this.#path, { read: true, write: changes });
    } catch (error) {
      throw new CheckError(`cannot open ${this.#path}: ${(error as Error).message}`);
    }
    if (changes && !this.#file.tryLockSync(true)) {
      this.#file.close();
      throw new CheckError(`${this.#path} is in use by a server: stop it first`);
    }
  }

  /**
   * Reads the snapshot that Redis may write at the beginning of the file. Returns its size in bytes, -1 if it is
   * damaged.
   */
  #snapshot(): number {
    const head = new Uint8Array(HEAD_BYTES);
    const count = this.#file.readSync(head) ?? 0;
    if (!isRdb(head.subarray(0, count))) return 0;
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const input = new RdbInput((into) => this.#file.readSync(into), this.#file.statSync().size);
    try {
      const loader = new RdbLoader(this.#engine.store, input, { keepExpired: true, library: () => {} });
      for (const _ of loader.steps()) continue;
      const { endOffset, hasStreamMark, keys, skipped, skippedCount } = loader.result;
      this.#say(`${this.#path} begins with a snapshot of ${number(keys)} keys, ${number(endOffset)} bytes`);
      for (const what of skipped) this.#say(`MemDB does not have: ${what}`);
      if (skippedCount > skipped.length) this.#say(`MemDB does not have: ${skippedCount - skipped.length} more`);
      if (hasStreamMark) this.#say("It ends with the mark of a replication stream, which a server leaves out");
      return hasStreamMark ? input.totalBytes : endOffset;
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      this.#say(`${this.#path} begins with a snapshot that is ${error.message}`);
      return -1;
    }
  }

  async #report(verdict: Verdict): Promise<void> {
    const { totalBytes, wholeBytes, startBytes, commands, seals, damage } = verdict;
    const seal = seals === 0 ? "no checksums" : `${number(seals)} checksums`;
    this.#say(`${this.#path}: ${number(totalBytes)} bytes, ${number(commands)} whole commands, ${seal}`);
    if (!this.#options.quick && wholeBytes > startBytes) await this.#load(verdict);
    if (damage === undefined) {
      this.#say(seals > 0 || totalBytes === 0 ? "The file is whole" : "The form of the file is right");
      return;
    }
    if (damage.foreign !== undefined) {
      this.#say(`Not supported at byte ${damage.offset}: ${damage.command}. MemDB has no ${damage.foreign}`);
      this.#say(`What precedes byte ${wholeBytes} is whole; a server refuses this file`);
      return;
    }
    this.#say(`Damaged at byte ${damage.offset}, ${damage.command}: ${damage.reason}`);
    this.#say(`What precedes byte ${wholeBytes} is whole; the last ${number(totalBytes - wholeBytes)} bytes are not`);
    this.#say(
      damage.middle || !this.#isLast
        ? "The damage is in the middle: a server refuses this file"
        : "The damage is at the end: a server drops it and goes on",
    );
  }

  /** Runs the commands and counts the resulting keys. */
  async #load(verdict: Verdict): Promise<void> {
    const bar = new Bar("Loading", verdict.wholeBytes);
    const { persistence, store } = this.#engine;
    const result = await new Replay(this.#engine, this.#executor)
      .load(this.#file, verdict, () => void bar.show(persistence.loadedBytes))
      .finally(() => bar.end());
    const filled = store.databases.filter((db) => db.size > 0);
    const keys = filled.reduce((sum, db) => sum + db.size, 0);
    const by = filled.map((db) => `db${db.index}: ${number(db.size)}`).join(", ");
    this.#say(`Keys when it is loaded: ${number(keys)}${by === "" ? "" : ` (${by})`}`);
    if (result.failed > 0) this.#say(`${number(result.failed)} commands fail; the first ${result.firstFailure}`);
  }

  #list({ startBytes, wholeBytes }: Verdict): void {
    const reader = this.#reader(startBytes, wholeBytes);
    while (reader.fill()) {
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        if (item === Item.COMMAND) this.#say(`${reader.itemStart} ${shownCommand(reader.request)}`);
        if (item === Item.TIMESTAMP) this.#say(`${reader.itemStart} # ${new Date(reader.timestampMs).toISOString()}`);
      }
    }
  }

  #fix({ damage, wholeBytes }: Verdict): number {
    if (damage === undefined) return 0;
    this.#cut(wholeBytes, undefined);
    return 0;
  }

  #truncateTo(verdict: Verdict, place: { offset: number } | { ms: number }): number {
    const { wholeBytes, startBytes, seals } = verdict;
    if ("offset" in place && place.offset > wholeBytes) {
      throw new CheckError(
        `byte ${place.offset} is not in the whole part of the file, which ends at byte ${wholeBytes}`,
      );
    }
    const reader = this.#reader(startBytes, wholeBytes);
    let offset = startBytes, sealEnd = startBytes;
    let inUnit = false, stamps = 0, found = false;
    const limit = "offset" in place ? place.offset : Infinity;
    while (!found && reader.fill()) {
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        if (item === Item.TIMESTAMP) stamps++;
        found = reader.itemEnd > limit || (item === Item.TIMESTAMP && "ms" in place && reader.timestampMs > place.ms);
        if (found) break;
        if (item === Item.COMMAND && reader.request.argc === 1) {
          const name = shownCommand(reader.request).toUpperCase();
          if (name === "MULTI") inUnit = true;
          else if (name === "EXEC") inUnit = false;
        }
        if (inUnit) continue;
        offset = reader.itemEnd;
        if (item === Item.SEAL) sealEnd = offset;
      }
    }
    if ("ms" in place && stamps === 0) {
      throw new CheckError("the file holds no timestamps: give a byte offset instead, --list shows them");
    }
    if (offset === verdict.totalBytes) {
      this.#say("Nothing stands behind that place");
      return 0;
    }
    this.#cut(offset, seals > 0 && sealEnd < offset ? sealEnd : undefined);
    return 0;
  }

  /** Copies the file and truncates it. A group that loses its seal, from `unsealedFrom` on, gets a new one. */
  #cut(offset: number, unsealedFrom: number | undefined): void {
    this.#copy();
    const file = this.#file;
    file.truncateSync(offset);
    if (unsealedFrom !== undefined) {
      const checksum = new Checksum(unsealedFrom);
      const piece = new Uint8Array(PIECE_BYTES);
      file.seekSync(unsealedFrom, Deno.SeekMode.Start);
      for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
        checksum.update(piece, 0, count);
      }
      writeAll(file, checksum.seal(offset - unsealedFrom));
    }
    file.syncSync();
    this.#say(`Cut at byte ${offset}. The file is whole`);
  }

  #reseal({ startBytes, damage }: Verdict): number {
    const place = `${this.#path}.resealed`;
    const target = Deno.openSync(place, { write: true, create: true, truncate: true });
    try {
      this.#copyCommands(target, startBytes);
      target.syncSync();
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      target.close();
      Deno.removeSync(place);
      this.#say(`Not sealed again, for the form of the file is broken at byte ${error.offset}: ${error.message}`);
      return EXIT_DAMAGED;
    }
    target.close();
    this.#copy();
    Deno.renameSync(place, this.#path);
    this.#say(
      damage === undefined ? "Sealed again" : "Sealed again, with what was damaged in it. The file counts as whole",
    );
    return 0;
  }

  #copyCommands(target: Deno.FsFile, startBytes: number): void {
    const checksum = new Checksum(0);
    const put = (bytes: Uint8Array, start: number, end: number) => {
      checksum.update(bytes, start, end);
      writeAll(target, bytes.subarray(start, end));
    };
    let groupStart = 0;
    const seal = () => {
      writeAll(target, checksum.seal(checksum.offset - groupStart));
      groupStart = checksum.offset;
    };
    const piece = new Uint8Array(PIECE_BYTES);
    this.#file.seekSync(0, Deno.SeekMode.Start);
    for (let at = 0; at < startBytes;) {
      const count = this.#file.readSync(piece.subarray(0, Math.min(piece.length, startBytes - at)))!;
      put(piece, 0, count);
      at += count;
    }
    const reader = this.#reader(startBytes, Infinity);
    while (reader.fill()) {
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        if (item !== Item.COMMAND) continue;
        put(reader.request.bytes, reader.request.rawStart, reader.request.rawEnd);
        if (checksum.offset - groupStart >= GROUP_BYTES) seal();
      }
    }
    if (reader.pending) throw new Damage(reader.position, "the file ends within a command");
    if (checksum.offset > groupStart) seal();
  }

  #reader(start: number, end: number): AofReader {
    this.#file.seekSync(start, Deno.SeekMode.Start);
    return new AofReader(this.#file, end, start);
  }

  #copy(): void {
    const copy = asideName(this.#path, "before", this.#engine.clock.nowMs(), exists);
    try {
      Deno.copyFileSync(this.#path, copy);
      using file = Deno.openSync(copy, { read: true, write: true });
      file.syncSync();
    } catch (error) {
      throw new CheckError(`cannot make a copy, so nothing was changed: ${(error as Error).message}`);
    }
    this.#say(`The file as it was is in ${copy}`);
  }

  #say(line: string): void {
    this.#surroundings.out(line);
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

const BAR_EVERY_MS = 100;
const BAR_WIDTH = 30;

/** Shows the progress: a bar on a terminal, nothing elsewhere. */
class Bar {
  readonly #what: string;
  readonly #total: number;
  readonly #isTerminal = Deno.stderr.isTerminal();
  #shownMs = 0;

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
  }

  show(bytes: number): undefined {
    const nowMs = performance.now();
    if (!this.#isTerminal || nowMs - this.#shownMs < BAR_EVERY_MS) return;
    this.#shownMs = nowMs;
    const part = this.#total === 0 ? 1 : bytes / this.#total;
    const done = "#".repeat(Math.round(part * BAR_WIDTH)).padEnd(BAR_WIDTH, ".");
    this.#write(`\r\x1b[K${this.#what} [${done}] ${Math.floor(part * 100)} %`);
  }

  end(): void {
    if (this.#shownMs > 0) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
