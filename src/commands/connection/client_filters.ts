/**
 * The filters of CLIENT LIST and CLIENT KILL: those of Redis, and those that Valkey adds, with their negations.
 */
import { fail, messages, shownText } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { ClientKind, Session } from "../../engine/session.ts";
import { clientFlags, clientKind, secondsSince } from "../../engine/client_line.ts";

type Test = (session: Session) => boolean;

interface Filter {
  /** Reads argument i. `word` is the filter's name in upper case, with NOT- if it is negated. */
  readonly read: (call: Call, i: number, word: string) => Test;
  /** Whether the filter with NOT- before its name exists. */
  readonly negatable?: boolean;
}

/** All flags that a client can have in CLIENT LIST, here or in Valkey. */
const FLAGS = "bcdeirtuxABEIMNOPRSTU";
/** The capabilities that a client can announce. */
const CAPABILITIES = "r";
const INT_MIN = -(2 ** 31), INT_MAX = 2 ** 31 - 1;

const FILTERS: Readonly<Record<string, Filter>> = {
  "addr": textFilter(({ transport }) => transport?.remote),
  "capa": { negatable: true, read: readCapabilities },
  "db": { negatable: true, read: readDb },
  "flags": { negatable: true, read: readFlags },
  "idle": { read: readIdle },
  "ip": textFilter(({ transport }) => transport?.remote.slice(0, transport.remote.lastIndexOf(":"))),
  "laddr": textFilter(({ transport }) => transport?.local),
  "lib-name": textFilter(({ libName }) => libName),
  "lib-ver": textFilter(({ libVersion }) => libVersion),
  "maxage": { read: readAge },
  "name": textFilter(({ name }) => name),
  "type": { negatable: true, read: readKind },
  "user": { negatable: true, read: readUser },
};

/** The clients that filters describe. */
export interface ClientChoice {
  readonly sessions: readonly Session[];
  /** What SKIPME says, if it is given. */
  readonly skipMe: boolean | undefined;
}

/** What a command says of an id that is no id: the first one after ID, and a later one. */
export interface IdErrors {
  readonly first: string;
  readonly later: string;
  /** The error of an id below 1; "" if such an id is only not found. */
  readonly low: string;
}

const LOW_ID = "ERR client-id should be greater than 0";
const NOT_ID_ERRORS: IdErrors = { first: messages.syntax, later: messages.syntax, low: LOW_ID };
export const KILL_ID_ERRORS: IdErrors = { first: LOW_ID, later: messages.syntax, low: LOW_ID };
export const LIST_ID_ERRORS: IdErrors = { first: "ERR Invalid client ID", later: "ERR Invalid client ID", low: "" };

/** The clients that pass the filters from argument `from` on. With ID the clients come in the order of the ids. */
export function chooseClients(call: Call, from: number, idErrors: IdErrors): ClientChoice {
  const { argc, engine: { sessions } } = call;
  // A filter that is given twice counts as it is given last, except for ids.
  const tests = new Map<string, Test>();
  const ids: number[] = [], otherIds: number[] = [];
  let skipMe: boolean | undefined;
  for (let i = from; i < argc;) {
    const word = call.text(i).toLowerCase();
    if (i + 1 >= argc || !isFilter(word)) fail(messages.syntax);
    if (word === "id") i = readIds(call, i + 1, ids, idErrors);
    else if (word === "not-id") i = readIds(call, i + 1, otherIds, NOT_ID_ERRORS);
    else {
      if (word === "skipme") skipMe = call.is(i + 1, "yes") || (!call.is(i + 1, "no") && fail(messages.syntax));
      else tests.set(word, readTest(call, i + 1, word));
      i += 2;
    }
  }
  const candidates = ids.length === 0
    ? [...sessions.values()]
    : ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
  if (otherIds.length > 0) tests.set("not-id", ({ id }) => !otherIds.includes(id));
  const all = [...tests.values()];
  return { sessions: candidates.filter((session) => all.every((test) => test(session))), skipMe };
}

function isFilter(word: string): boolean {
  const name = word.replace(/^not-/, "");
  if (name === "id" || word === "skipme") return true;
  return Object.hasOwn(FILTERS, name) && (name === word || FILTERS[name].negatable === true);
}

function readTest(call: Call, i: number, word: string): Test {
  const name = word.replace(/^not-/, "");
  const test = FILTERS[name].read(call, i, word.toUpperCase());
  return name === word ? test : (session) => !test(session);
}

/** Reads ids up to the next filter. Returns its index. */
function readIds(call: Call, from: number, ids: number[], { first, later, low }: IdErrors): number {
  let i = from;
  do {
    const id = call.integer(i, i === from ? first : later);
    if (id < 1 && low !== "") fail(low);
    ids.push(id);
    i++;
  } while (i < call.argc && !isFilter(call.text(i).toLowerCase()));
  return i;
}

/** A text that must be equal; a client without it never passes the filter, not even for an empty text. */
function textFilter(textOf: (session: Session) => string | undefined): Filter {
  return {
    negatable: true,
    read: (call, i) => {
      const wanted = call.text(i);
      return (session) => wanted !== "" && textOf(session) === wanted;
    },
  };
}

function readKind(call: Call, i: number): Test {
  const wanted: ClientKind = clientKind(call.text(i)) ?? fail(`ERR Unknown client type '${shownText(call.text(i))}'`);
  return ({ kind }) => kind === wanted;
}

function readUser(call: Call, i: number): Test {
  const wanted = call.text(i);
  if (call.engine.users.get(wanted) === undefined) fail(`ERR No such user '${shownText(wanted)}'`);
  return ({ user }) => user.name === wanted;
}

function readSeconds(call: Call, i: number, name: string): number {
  const notInteger = `ERR ${name} is not an integer or out of range`;
  return call.integerIn(i, 1, Infinity, `ERR ${name} should be greater than 0`, notInteger);
}

function readAge(call: Call, i: number): Test {
  const seconds = readSeconds(call, i, "maxage"), { nowMs } = call.store;
  return ({ createdMs }) => secondsSince(createdMs, nowMs) >= seconds;
}

function readIdle(call: Call, i: number): Test {
  const seconds = readSeconds(call, i, "idle"), { nowMs } = call.store;
  return ({ lastActiveMs }) => secondsSince(lastActiveMs, nowMs) >= seconds;
}

function readDb(call: Call, i: number, word: string): Test {
  const notInteger = `ERR ${word} is not an integer or out of range`, last = call.store.databases.length - 1;
  const index = call.integerIn(i, INT_MIN, INT_MAX, notInteger, notInteger);
  if (index < 0 || index > last) fail(`ERR ${word} number should be between 0 and ${last}`);
  return ({ db }) => db === index;
}

/** Fails if argument i has a letter that is not in `known`. Returns the letters. */
function readLetters(call: Call, i: number, word: string, known: string, what: string): string[] {
  const text = call.text(i), where = word.startsWith("NOT-") ? `the ${word}` : "the provided";
  if ([...text].some((letter) => !known.includes(letter))) {
    fail(`ERR Unknown ${what} found in ${where} filter: ${shownText(text)}`);
  }
  return [...text];
}

function readFlags(call: Call, i: number, word: string): Test {
  const letters = readLetters(call, i, word, FLAGS, "flags"), { watches } = call.engine;
  return (session) => {
    const flags = clientFlags(session, watches);
    return letters.every((letter) => flags.includes(letter));
  };
}

function readCapabilities(call: Call, i: number, word: string): Test {
  const letters = readLetters(call, i, word, CAPABILITIES, "capa");
  return ({ capabilities }) => letters.every((letter) => capabilities.includes(letter));
}
