/**
 * What monitors see, and what the logs of commands hold: compared word for word with released servers.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import {
  COMMANDLOG_SCRIPTS,
  MONITOR_SCRIPTS,
  REPLY_IN_UNIT_SCRIPTS,
  REPLY_SCRIPTS,
  SCRIPT_SHOW_SCRIPTS,
  SLOWLOG_OF_REDIS_SCRIPTS,
  SLOWLOG_SCRIPTS,
} from "./observing_scripts.ts";

/** Times and addresses differ, and the harness itself sends PING. */
const noTimes = (text: string) =>
  text.replace(/\+\d+\.\d{6} \[\d+ [^\]]*\] "PING"\r\n/g, "")
    .replace(/\+\d+\.\d{6} \[(\d+) (?!lua)[^\]]*\]/g, "+time [$1 address]");

compareScripts("monitors see what they see on", MONITOR_SCRIPTS, { mask: noTimes });

/** Numbers, times and addresses of entries differ, and the harness itself sends PING. */
const entries = (text: string, value: string) =>
  text.replace(/\$\d+\r\n(?:127\.0\.0\.1|\[?\/)[^\r]*/g, "address")
    .replace(/\*6\r\n:\d+\r\n:\d+\r\n:\d+\r\n\*1\r\n\$4\r\nPING\r\naddress\r\n\$0\r\n\r\n/g, "")
    .replace(/(?:\*\d+\r\n)?\*6\r\n:\d+\r\n:\d+\r\n:(\d+)\r\n/g, `entry ${value} `);

compareScripts("the slow log holds the commands that it holds on", SLOWLOG_SCRIPTS, {
  mask: (text) => entries(text, "of some duration"),
});

compareScripts("the slow log holds what scripts call, as on", SLOWLOG_OF_REDIS_SCRIPTS, {
  programs: ["redis-server"],
  mask: (text) => entries(text, "of some duration"),
});

compareScripts("COMMANDLOG holds what it holds on", COMMANDLOG_SCRIPTS, {
  programs: ["valkey-server"],
  mask: (text) => entries(text, "of $1 bytes"),
});

compareScripts("the source of a script is shown as by", SCRIPT_SHOW_SCRIPTS, { programs: ["valkey-server"] });

Deno.test("the time for which a client waited counts nowhere", () =>
  withServer(async (client, server) => {
    await client.run("CONFIG SET slowlog-log-slower-than 1000000 latency-monitor-threshold 1000");
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    await talk.say("a", "BLPOP k 0");
    await talk.say("b", "BLPOP none 20");
    await talk.say("c", "WAIT 1 20000");
    server.clock.advance(15_000);
    await talk.say("x", "RPUSH k v");
    server.clock.advance(15_000);
    assertEquals(await talk.settle(), { b: "*-1\r\n", c: ":0\r\n" });
    assertEquals(await client.run("SLOWLOG LEN"), ":0\r\n");
    assertEquals(await client.run("LATENCY LATEST"), "*0\r\n");
    const stats = await client.run("INFO commandstats");
    assertMatch(stats, /cmdstat_blpop:calls=2,usec=0,usec_per_call=0\.00,rejected_calls=0,failed_calls=0\r\n/);
    assertMatch(stats, /cmdstat_wait:calls=1,usec=0,/);
    assertMatch(await client.run("INFO latencystats"), /latency_percentiles_usec_blpop:p50=/);
    talk.close();
  }));

compareScripts("CLIENT REPLY drops what it drops on", REPLY_SCRIPTS, { mask: noTimes });
compareScripts("within a transaction CLIENT REPLY drops what it drops on", REPLY_IN_UNIT_SCRIPTS, { mask: noTimes });
