/**
 * Programs and libraries that are built on Redis, with their defaults: job queues, adapters, locks, caches. Each is a
 * program of tests/programs that exits with 0 if everything went as it should.
 */
import { assertEquals } from "@std/assert";
import { run, ServerProcess, subject } from "./process.ts";

const path = (name: string) => decodeURI(new URL(`../programs/${name}`, import.meta.url).pathname);

for (const program of ["bee_queue", "bullmq", "libraries", "socket_io"]) {
  Deno.test(`${program} runs on ${subject}`, async () => {
    await using server = await ServerProcess.start([]);
    const args = ["run", "-q", "--config", path("deno.json"), "-A", path(`${program}.ts`), String(server.port)];
    const { code, stdout, stderr } = await run(Deno.execPath(), args);
    assertEquals([code, stdout, stderr], [0, "", ""]);
  });
}

/** A Ruby with the package sidekiq. */
const ruby = Deno.env.get("MEMDB_RUBY_JOBS");

for (const program of ruby === undefined ? [] : ["sidekiq_jobs"]) {
  Deno.test(`${program} runs on ${subject}`, async () => {
    await using server = await ServerProcess.start([]);
    const { code, stderr } = await run(ruby!, ["-W0", path(`${program}.rb`), String(server.port)]);
    // The client warns of its next release, in whatever Ruby is told.
    const errors = stderr.split("\n").filter((line) => !line.startsWith("Redis#sadd will always return"));
    assertEquals([code, errors.join("\n")], [0, ""]);
  });
}

/** A Python with the packages celery and rq. */
const python = Deno.env.get("MEMDB_PYTHON_JOBS");

for (const program of python === undefined ? [] : ["celery_jobs", "rq_jobs"]) {
  Deno.test(`${program} runs on ${subject}`, async () => {
    await using server = await ServerProcess.start([]);
    const { code, stderr } = await run(python!, ["-B", path(`${program}.py`), String(server.port)]);
    assertEquals([code, stderr], [0, ""]);
  });
}
