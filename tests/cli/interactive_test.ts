import { assert, assertEquals } from "@std/assert";
import { testUnless } from "../helpers/programs.ts";
import { clientCommand, type FakeServer, startFakeServer } from "./helpers.ts";
import { hasTerminal, Screen, Terminal } from "./terminal.ts";

const noTerminal = hasTerminal() ? undefined : "no util-linux script on the PATH";
const enter = "\r", tab = "\t", up = "\x1b[A", left = "\x1b[D", home = "\x01";
const ctrl = (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 31);

interface Scene {
  readonly server: FakeServer;
  readonly terminal: Terminal;
  readonly prompt: string;
  readonly historyFile: string;
}

/** A session on a terminal, connected to a fake server, with a separate history file. */
function interactive(name: string, body: (scene: Scene) => Promise<void>, history = ""): void {
  testUnless(noTerminal, name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const historyFile = `${folder}/history`;
      if (history !== "") await Deno.writeTextFile(historyFile, history);
      await using server = startFakeServer();
      const args = [...clientCommand, "-p", String(server.port)];
      await using terminal = new Terminal(Deno.execPath(), args, { MEMDB_HISTFILE: historyFile });
      const prompt = `127.0.0.1:${server.port}`;
      await terminal.untilLast(`${prompt}>`);
      await body({ server, terminal, prompt, historyFile });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

interactive("the prompt follows database and transaction", async ({ terminal, prompt }) => {
  await terminal.type("select 3" + enter);
  await terminal.untilLast(`${prompt}[3]>`);
  await terminal.type("multi" + enter);
  await terminal.untilLast(`${prompt}[3](TX)>`);
  await terminal.type("select 5" + enter);
  await terminal.untilLast(`${prompt}[5](TX)>`);
  await terminal.type("discard" + enter);
  await terminal.untilLast(`${prompt}[3]>`);
  await terminal.type("quit" + enter);
  assertEquals(await terminal.ended(), 0);
});

interactive("replies are printed for people, also of lines that are pasted at once", async ({ terminal, prompt }) => {
  await terminal.type(`set a "x y"${enter}get a${enter}"open${enter}`);
  await terminal.until("the last prompt", (screen) => screen.rows.length === 7);
  assertEquals(terminal.screen.rows, [
    `${prompt}> set a "x y"`,
    "OK",
    `${prompt}> get a`,
    '"x y"',
    `${prompt}> "open`,
    "Invalid argument(s)",
    `${prompt}>`,
  ]);
});

/** The session's requests, without the client's own COMMAND DOCS, which arrives at any time. */
function typed(server: { requests: string[][] }): string[][] {
  return server.requests.filter(([name]) => name !== "COMMAND");
}

interactive("hints stand grey behind the cursor and are no part of the line", async ({ terminal, prompt, server }) => {
  await terminal.type("set a");
  await terminal.untilLast(
    `${prompt}> set a key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]`.slice(0, 79),
  );
  assert(terminal.screen.grey.startsWith(" key value [NX|XX]"));
  await terminal.type(" 1 ex ");
  await terminal.untilLast(`${prompt}> set a 1 ex seconds [NX|XX] [GET]`);
  await terminal.type("5" + home);
  await terminal.untilLast(`${prompt}> set a 1 ex 5`);
  await terminal.type(enter);
  await terminal.until("the reply", (screen) => screen.rows.includes("OK"));
  assertEquals(typed(server).at(-1), ["set", "a", "1", "ex", "5"]);
  assertEquals(terminal.screen.rows[0], `${prompt}> set a 1 ex 5`);
  await terminal.type(`:set nohints${enter}get`);
  await terminal.untilLast(`${prompt}> get`);
});

interactive("commands that only the server knows get hints from COMMAND DOCS", async ({ terminal, prompt, server }) => {
  while (!server.requests.some(([command]) => command === "COMMAND")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await terminal.type("other");
  await terminal.until("the hint, drawn when the next key is pressed", (screen) => {
    if (screen.last === `${prompt}> other thing`) return true;
    terminal.type(" \x7f");
    return false;
  });
});

interactive("Tab completes, and shows the choices when there are several", async ({ terminal, prompt, server }) => {
  await terminal.type("conf" + tab);
  await terminal.untilLast(`${prompt}> config GET|REWRITE|SET`);
  await terminal.type("re" + tab);
  await terminal.untilLast(`${prompt}> config rewrite`);
  await terminal.type(enter + "get" + tab + tab);
  await terminal.until("the choices", (screen) => screen.rows.some((row) => /get +getset/.test(row)));
  assertEquals(server.requests.filter(([command]) => command === "config"), [["config", "rewrite"]]);
});

interactive("the arrows go through this session's and earlier lines", async ({ terminal, prompt }) => {
  await terminal.type("get one" + enter);
  await terminal.untilLast(`${prompt}>`);
  await terminal.type(up + up);
  await terminal.untilLast(`${prompt}> get earlier key`);
  await terminal.type(left + left + "X" + enter);
  await terminal.until("the edited line", (screen) => screen.rows.includes(`${prompt}> get earliXer`));
}, "get oldest\nget earlier\n");

interactive(
  "Ctrl-R searches the history backwards, again goes on, Ctrl-G gives up",
  async ({ terminal, prompt, server }) => {
    await terminal.type("draft" + ctrl("R"));
    await terminal.untilLast("(reverse-i-search)'':");
    await terminal.type("se");
    await terminal.untilLast("(reverse-i-search)'se': set b 2");
    await terminal.type(ctrl("R"));
    await terminal.untilLast("(reverse-i-search)'se': set a 1");
    await terminal.type("t b");
    await terminal.untilLast("(failed reverse-i-search)'set b':");
    await terminal.type(ctrl("G"));
    await terminal.untilLast(`${prompt}> draft`);
    await terminal.type(ctrl("U") + ctrl("R") + "a 1" + enter);
    await terminal.until("the reply", (screen) => screen.rows.includes("OK"));
    assertEquals(typed(server).at(-1), ["set", "a", "1"]);
  },
  "set a 1\nget x\nset b 2\nget y\n",
);

interactive(
  "passwords stay out of the history, on the screen's arrows and in the file",
  async ({ terminal, prompt, historyFile }) => {
    await terminal.type(`get a${enter}auth secret${enter}hello 3 auth u secret${enter}get b${enter}`);
    await terminal.until(
      "all replies",
      (screen) => screen.rows.filter((row) => row === `${prompt}> get b`).length === 1,
    );
    await terminal.type(up + up);
    await terminal.untilLast(`${prompt}> get a key`);
    await terminal.type(ctrl("U") + "exit" + enter);
    assertEquals(await terminal.ended(), 0);
    assertEquals(await Deno.readTextFile(historyFile), "get a\nget b\nexit\n");
  },
);

const reading = "Reading messages... (press Ctrl-C to quit or any key to type command)";

interactive("a subscription reads messages until a key is pressed", async ({ terminal, prompt, server }) => {
  const message = (content: string) => `*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$${content.length}\r\n${content}\r\n`;
  await terminal.type(`subscribe ch${enter}`);
  await terminal.untilLast(reading);
  assertEquals(terminal.screen.grey, reading);
  assertEquals(terminal.screen.rows.slice(1, -1), [
    '1) "subscribe"',
    '2) "ch"',
    "3) (integer) 1",
    '1) "message"',
    '2) "ch"',
    '3) "hi"',
  ]);
  server.send(message("while reading"));
  await terminal.until("the message", (screen) => screen.rows.at(-2) === '3) "while reading"');
  await terminal.untilLast(reading);
  await terminal.type("half");
  await terminal.untilLast(`${prompt}(subscribed mode)> half`);
  server.send(message("while typing"));
  await terminal.until("the message", (screen) => screen.rows.at(-2) === '3) "while typing"');
  await terminal.untilLast(`${prompt}(subscribed mode)> half`);
  await terminal.type(ctrl("U") + "ping" + enter);
  await terminal.until("the reply", (screen) => screen.rows.includes('1) "pong"'));
  await terminal.untilLast(reading);
  // An empty line returns to reading; lines pasted before it run first.
  await terminal.type(enter);
  await terminal.until("the prompt", (screen) => screen.rows.at(-2) === `${prompt}(subscribed mode)>`);
  await terminal.untilLast(reading);
  await terminal.type(`ping${enter}ping${enter}`);
  await terminal.until("both replies", (screen) => screen.rows.filter((row) => row === '1) "pong"').length === 3);
  await terminal.untilLast(reading);
  await terminal.type(ctrl("C"));
  await terminal.untilLast(`${prompt}>`);
  await terminal.type("ping" + enter);
  await terminal.until("the reply", (screen) => screen.rows.includes("PONG"));
});

for (const [name, key] of [["Ctrl-C", ctrl("C")], ["Ctrl-D on an empty line", ctrl("D")]] as const) {
  interactive(`${name} at the prompt ends a subscription, then the client`, async ({ terminal, prompt }) => {
    await terminal.type(`subscribe ch${enter}`);
    await terminal.untilLast(reading);
    await terminal.type("x\x7f");
    await terminal.untilLast(`${prompt}(subscribed mode)>`);
    await terminal.type(key);
    await terminal.untilLast(`${prompt}>`);
    await terminal.type(key);
    assertEquals(await terminal.ended(), 0);
  });
}

interactive("pushes appear above the line that is being typed", async ({ terminal, prompt, server }) => {
  await terminal.type(`hello 3${enter}half a line that goes on`);
  await terminal.untilLast(`${prompt}> half a line that goes on`);
  await terminal.type(left.repeat(8));
  server.send(">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$2\r\n\xc3\xa9\r\n");
  await terminal.until("the push", (screen) => screen.rows.at(-2) === "-> invalidate: 'a', 'é'");
  await terminal.untilLast(`${prompt}> half a line that goes on`);
  server.send(">2\r\n$10\r\ninvalidate\r\n_\r\n");
  await terminal.until("the push", (screen) => screen.rows.at(-2) === "2) (nil)");
  await terminal.type("X");
  await terminal.untilLast(`${prompt}> half a line thatX goes on`);
});

interactive(
  "Ctrl-C ends a command that waits and MONITOR, and at the prompt the client",
  async ({ terminal, prompt, server }) => {
    await terminal.type("block" + enter);
    while (!server.requests.some(([command]) => command === "block")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await terminal.type(ctrl("C"));
    await terminal.untilLast(`${prompt}>`);
    await terminal.type("monitor" + enter);
    await terminal.untilLast('1.0 [0 127.0.0.1:1] "seen"');
    await terminal.type(ctrl("C"));
    await terminal.untilLast(`${prompt}>`);
    await terminal.type("ping" + enter);
    await terminal.until("the reply", (screen) => screen.rows.includes("PONG"));
    await terminal.type("half a line" + ctrl("C"));
    assertEquals(await terminal.ended(), 0);
  },
);

interactive("Ctrl-D on an empty line ends the client", async ({ terminal }) => {
  await terminal.type("x" + home + ctrl("D") + ctrl("D"));
  assertEquals(await terminal.ended(), 0);
});

interactive("a lost connection is told, and the next command reconnects", async ({ terminal, prompt, server }) => {
  await terminal.type("select 2" + enter);
  await terminal.untilLast(`${prompt}[2]>`);
  server.hangUp();
  await terminal.untilLast("not connected>");
  assert(terminal.screen.rows.includes("Error: Server closed the connection"));
  await terminal.type("ping" + enter);
  await terminal.untilLast(`${prompt}[2]>`);
  assertEquals(typed(server).slice(-2), [["SELECT", "2"], ["ping"]]);
  await terminal.type("connect 127.0.0.1 1" + enter);
  await terminal.until(
    "the refusal",
    (screen) => screen.rows.includes("Could not connect to Redis at 127.0.0.1:1: Connection refused"),
  );
  await terminal.untilLast("not connected>");
});

interactive("help works, clear clears", async ({ terminal, prompt }) => {
  await terminal.type("help get" + enter);
  await terminal.until("the help", (screen) => screen.rows.some((row) => row.includes("summary: Does get.")));
  await terminal.untilLast(`${prompt}>`);
  await terminal.type("clear" + enter);
  await terminal.until("an empty screen", (screen) => screen.rows.length === 1 && screen.last === `${prompt}>`);
});

Deno.test("the tests' screen follows a cursor", () => {
  const screen = new Screen();
  screen.draw("one\r\ntwo\x1b[A\x1b[1Gx\x1b[2Cy\x1b[B\r\x1b[0Jz\x1b");
  screen.draw("[90mgrey\x1b[0m");
  assertEquals([screen.rows, screen.grey], [["xney", "zgrey"], "grey"]);
});
