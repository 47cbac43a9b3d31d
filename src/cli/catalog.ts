/**
 * The commands that the client knows, under their full names ("CONFIG GET"): those of MemDB's own table, and those that
 * COMMAND DOCS of the connected server adds. Hints, completion and help read it; it prints nothing and opens no
 * connection.
 */
import { type CommandSpec, sinceText } from "../dispatch/spec.ts";
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";
import { fieldsOf, parseSyntax, renderSyntax, type Syntax, syntaxFromDocs } from "./syntax.ts";

/** One command or subcommand. */
export interface Entry {
  /** Upper case, words separated by one space. */
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly since: string;
  readonly complexity: string;
  readonly replacedBy: string | undefined;
  readonly syntax: Syntax;
  /** The last words of its subcommands. */
  readonly subcommands: readonly string[];
}

export class Catalog {
  readonly #entries = new Map<string, Entry>();

  /** Holds the commands of `table`. */
  constructor(table: readonly CommandSpec[]) {
    for (const spec of table) this.#addSpec(spec, "", spec.only);
  }

  #addSpec(spec: CommandSpec, parent: string, only: CommandSpec["only"]): void {
    const name = (parent + spec.name).toUpperCase();
    this.#entries.set(name, {
      name,
      group: spec.group,
      summary: spec.summary,
      since: sinceText(spec, only),
      complexity: spec.complexity,
      replacedBy: spec.deprecated?.replacedBy,
      syntax: parseSyntax(spec.syntax),
      subcommands: (spec.subcommands ?? []).map((sub) => sub.name.toUpperCase()),
    });
    for (const sub of spec.subcommands ?? []) this.#addSpec(sub, name + " ", only ?? sub.only);
  }

  /** Adds the commands of a server's reply to COMMAND DOCS that are not known yet. */
  addDocs(docs: Reply): void {
    for (const [name, fields] of fieldsOf(docs)) this.#addDoc(name, fieldsOf(fields));
  }

  #addDoc(rawName: string, fields: Map<string, Reply>): void {
    const name = rawName.replace("|", " ").toUpperCase();
    const text = (field: string) => {
      const value = fields.get(field);
      return value !== undefined && "bytes" in value ? fromBytes(value.bytes) : "";
    };
    const children = fields.get("subcommands");
    const subcommands = children === undefined ? new Map<string, Reply>() : fieldsOf(children);
    const words = [...subcommands.keys()].map((sub) => sub.slice(sub.indexOf("|") + 1).toUpperCase());
    const known = this.#entries.get(name);
    if (known === undefined) {
      this.#entries.set(name, {
        name,
        group: text("group"),
        summary: text("summary"),
        since: text("since"),
        complexity: text("complexity"),
        replacedBy: text("replaced_by") || undefined,
        syntax: syntaxFromDocs(fields.get("arguments")),
        subcommands: words,
      });
    } else if (words.some((word) => !known.subcommands.includes(word))) {
      this.#entries.set(name, { ...known, subcommands: [...new Set([...known.subcommands, ...words])] });
    }
    for (const [sub, reply] of subcommands) this.#addDoc(sub, fieldsOf(reply));
  }

  /** By full name, in any case. */
  get(name: string): Entry | undefined {
    return this.#entries.get(name.toUpperCase());
  }

  /** The entry that the first words of `args` name, the longest first, and how many words that took. */
  find(args: readonly string[]): { entry: Entry; words: number } | undefined {
    for (let words = Math.min(2, args.length); words > 0; words--) {
      const entry = this.get(args.slice(0, words).join(" "));
      if (entry !== undefined) return { entry, words };
    }
    return undefined;
  }

  /** All entries by name. */
  all(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The groups that have commands, sorted. */
  groups(): string[] {
    return [...new Set(this.all().map((entry) => entry.group))].filter((group) => group !== "").sort();
  }
}

/** The arguments of an entry as text; for a command of subcommands, their names. */
export function argumentsOf(entry: Entry): string {
  const text = renderSyntax(entry.syntax);
  return text === "" && entry.subcommands.length > 0 ? [...entry.subcommands].sort().join("|") : text;
}
