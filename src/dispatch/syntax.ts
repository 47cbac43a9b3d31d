/**
 * Parses the notation of arguments (see CommandSpec.syntax) into the tree that COMMAND DOCS replies. The tree has the
 * shape of Redis's tree. The notation has no names for alternatives and blocks, so this file generates them.
 */
import type { ValueType } from "./spec.ts";

export type ArgumentType = ValueType | "pure-token" | "oneof" | "block";

export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
  /** The name for display; alternatives and blocks have none. */
  readonly displayText?: string;
  /** The word before the argument, or the word that is the argument. */
  readonly token?: string;
  readonly optional?: boolean;
  readonly multiple?: boolean;
  /** The token repeats together with its values. */
  readonly multipleToken?: boolean;
  /** The members of a block, or the alternatives of a oneof. */
  readonly arguments?: readonly Argument[];
}

/** The usual types of value names; values with other names are strings. */
const USUAL_TYPES: readonly (readonly [ValueType, string])[] = [
  [
    "integer",
    "bit bits client-id cluster-bus-port config-epoch count cursor db decrement destination-db end end-slot " +
    "entries-added entries-read frequency increment index index1 index2 len limit maxage milliseconds min-match-len " +
    "ms num-matches numfields numkeys numlocal numreplicas offset port protover rank seconds slot start start-slot " +
    "stop ttl version weight",
  ],
  ["double", "height latitude longitude radius score timeout width"],
  ["key", "destination destkey dst key key1 key2 newkey source sourcekey src"],
  ["pattern", "pattern"],
  ["unix-time", "unix-time-milliseconds unix-time-seconds"],
];
const TYPE_OF: ReadonlyMap<string, ValueType> = new Map(
  USUAL_TYPES.flatMap(([type, names]) => names.split(" ").map((name) => [name, type] as const)),
);

type Node =
  | { readonly kind: "token" | "value"; readonly text: string; readonly repeats?: boolean }
  | { readonly kind: "optional" | "group"; readonly choices: readonly (readonly Node[])[]; readonly repeats?: boolean };

type Types = Readonly<Record<string, ValueType>>;

/** The syntax of a spec cannot be parsed: a fault of the program. */
export class SyntaxNotationError extends Error {
  override name = "SyntaxNotationError";
}

/**
 * The tree of a syntax. `types` lists the values whose type is not the usual one for their name. Throws
 * SyntaxNotationError.
 */
export function argumentsOf(syntax: string, types: Types = {}): readonly Argument[] {
  const words = syntax.match(/\.\.\.|[[\]<>|]|"[^"]*"|[^\s[\]<>|]+?(?=\.\.\.|[\s[\]<>|]|$)/g) ?? [];
  let at = 0;
  const parse = (closer: string): Node[][] => {
    const choices: Node[][] = [[]];
    for (; at < words.length && words[at] !== closer; at++) {
      const word = words[at];
      const nodes = choices[choices.length - 1];
      if (word === "]" || word === ">") throw new SyntaxNotationError(`unbalanced: ${syntax}`);
      if (word === "|") {
        choices.push([]);
      } else if (word === "[" || word === "<") {
        at++;
        nodes.push({ kind: word === "[" ? "optional" : "group", choices: parse(word === "[" ? "]" : ">") });
      } else if (word === "...") {
        // Inside brackets `...` repeats everything before it; elsewhere it repeats one item.
        const repeated: Node = closer !== "]" || nodes.length === 1 ? nodes.pop()! : {
          kind: "group",
          choices: [nodes.splice(0)],
        };
        nodes.push({ ...repeated, repeats: true });
      } else {
        const isToken = word.startsWith('"') || word === word.toUpperCase();
        nodes.push({ kind: isToken ? "token" : "value", text: word.replaceAll('"', "") });
      }
    }
    if (closer !== "" && at === words.length) throw new SyntaxNotationError(`unbalanced: ${syntax}`);
    return choices;
  };
  const choices = parse("");
  return choices.length > 1 ? [oneOf(choices, types)] : sequence(choices[0], types);
}

/** Folds `x [x ...]` into one `x` that repeats; x may consist of several nodes. */
function foldRepetitions(nodes: readonly Node[]): Node[] {
  const folded: Node[] = [];
  for (const node of nodes) {
    const inner = node.kind === "optional" && node.choices.length === 1 ? node.choices[0] : [];
    if (inner.length === 1 && inner[0].repeats) {
      const { repeats: _, ...once } = inner[0];
      const again: readonly Node[] = once.kind === "group" && once.choices.length === 1
        ? once.choices[0]
        : [once as Node];
      const before = folded.slice(-again.length);
      if (JSON.stringify(before) === JSON.stringify(again)) {
        folded.splice(-again.length, again.length, inner[0]);
        continue;
      }
    }
    folded.push(node);
  }
  return folded;
}

/**
 * Converts a sequence of nodes into arguments. A token includes the values behind it, up to the next token or option.
 */
function sequence(unfolded: readonly Node[], types: Types): Argument[] {
  const nodes = foldRepetitions(unfolded);
  const found: Argument[] = [];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    if (node.kind !== "token") {
      found.push(single(node, types));
      continue;
    }
    const behind: Argument[] = [];
    for (let next = nodes[i + 1]; next?.kind === "value" || next?.kind === "group"; next = nodes[i + 1]) {
      behind.push(single(next, types));
      i++;
    }
    const token = node.text, name = token.toLowerCase();
    if (behind.length === 0) found.push({ name, type: "pure-token", displayText: name, token });
    else found.push({ ...together(behind), token });
  }
  return found;
}

function single(node: Node, types: Types): Argument {
  if (!("choices" in node)) {
    const { text } = node;
    const type = types[text] ?? TYPE_OF.get(text) ?? "string";
    return { name: text, type, displayText: text, ...node.repeats ? { multiple: true } : {} };
  }
  const { choices } = node;
  const inner = choices.length > 1 ? oneOf(choices, types) : together(sequence(choices[0], types));
  return {
    ...inner,
    ...node.kind === "optional" ? { optional: true } : {},
    ...node.repeats ? { multiple: true } : {},
    ...node.repeats && choices.length === 1 && choices[0][0].kind === "token" ? { multipleToken: true } : {},
  };
}

/** Wraps several arguments in a block. */
function together(args: readonly Argument[]): Argument {
  return args.length === 1 ? args[0] : { name: "data", type: "block", arguments: args };
}

function oneOf(choices: readonly (readonly Node[])[], types: Types): Argument {
  const alternatives = choices.map((nodes) => together(sequence(nodes, types)));
  const name = alternatives.map((alternative) => alternative.name).join("-or-");
  return { name, type: "oneof", arguments: alternatives };
}
