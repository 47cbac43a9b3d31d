/**
 * Tests of the log check itself: it passes for handlers that log their changes, and fails for handlers that do not.
 */
import { assertThrows } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import { commandTable } from "../../src/commands/table.ts";
import { Call } from "../../src/dispatch/call.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import type { CommandSpec, Handler } from "../../src/dispatch/spec.ts";
import { Notify } from "../../src/engine/listeners.ts";
import { Session } from "../../src/engine/session.ts";
import { Reply } from "../../src/resp/reply.ts";
import { Request } from "../../src/resp/request.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { createEngine } from "./engine.ts";
import { EffectRecorder } from "./replayed.ts";

const START_MS = Date.UTC(2026, 0, 1);

/** Runs lines of words on a new engine, which has a command `test key`, and checks the log at the end. */
function check(handler: Handler, ...lines: string[]): void {
  const spec: CommandSpec = {
    name: "test",
    summary: "Is for this test alone.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["write"],
    syntax: "key",
    handler,
  };
  const engine = createEngine(new ManualClock(START_MS));
  const executor = new Executor(engine, [...commandTable, spec]);
  const call = new Call(engine, new Session(1, new Reply(), START_MS), executor);
  const recorder = new EffectRecorder(engine, commandTable);
  for (const line of lines) executor.execute(call, Request.of(line.split(" ").map((word) => utf8(word))));
  recorder.check();
}

function setOne(call: Call, deadline: number): void {
  const value = utf8("1");
  call.db.setString(call.bytes, call.start(1), call.end(1), value, 0, 1, deadline);
  call.reply.ok();
}

Deno.test("a handler that logs what it does passes", () => {
  const handler: Handler = (call) => {
    setOne(call, -1);
    call.changed(Notify.STRING, "set", 1);
    call.logInstead("SET", call.view(1), "1");
  };
  check(handler, "TEST k", "RPUSH l a b", "TEST l", "MULTI", "TEST m", "INCR m", "EXEC", "SELECT 3", "TEST k");
});

Deno.test("a handler that forgets to say that it changed a key fails the test that runs it", () => {
  assertThrows(() => check((call) => setOne(call, -1), "TEST k"), Error, "the log does not lead to the data");
});

Deno.test("a handler that removes a key of any type and does not say so fails", () => {
  for (const line of ["SET k v", "RPUSH k v", "SADD k v", "ZADD k 1 v", "HSET k f v"]) {
    const forgetful: Handler = (call) => {
      call.db.remove(call.bytes, call.start(1), call.end(1));
      call.reply.ok();
    };
    assertThrows(() => check(forgetful, line, "TEST k"), Error, "the log does not lead to the data");
  }
});

Deno.test("a handler that logs another deadline than it sets fails", () => {
  const inexact: Handler = (call) => {
    setOne(call, call.store.nowMs + 1000);
    call.changed(Notify.STRING, "set", 1);
    call.logInstead("SET", call.view(1), "1", "PXAT", call.store.nowMs + 1001);
  };
  assertThrows(() => check(inexact, "TEST k"), Error, "the log does not lead to the data");
});

Deno.test("a handler that logs what cannot be run fails", () => {
  const wrong: Handler = (call) => {
    setOne(call, -1);
    call.changed(Notify.STRING, "set", 1);
  };
  assertThrows(() => check(wrong, "TEST k"), Error, "fails: ERR unknown command");
});
