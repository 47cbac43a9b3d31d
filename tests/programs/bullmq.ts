/**
 * BullMQ: queues, delays, priorities, retries, flows, rate limits, schedulers, and the recovery of a job whose worker
 * is killed. Arguments: the port; "worker" to be the worker that is killed. Exits with 0 if every job ends as it
 * should.
 */
import { deepStrictEqual as same } from "node:assert";
import process from "node:process";
import { FlowProducer, type Job, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const connect = () => new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
const WAIT_MS = 60_000;

if (process.argv[3] === "worker") {
  new Worker("stalled", async () => {
    console.log("started");
    await new Promise(() => {});
  }, { connection: connect(), lockDuration: 1000, stalledInterval: 500 });
} else {
  await jobs();
  process.exit(0);
}

async function jobs(): Promise<void> {
  const queue = new Queue("mail", { connection: connect() });
  const events = new QueueEvents("mail", { connection: connect() });
  const order: string[] = [];
  const worker = new Worker("mail", async (job: Job) => {
    order.push(job.name);
    await job.updateProgress(50);
    if (job.name === "fails twice" && job.attemptsMade < 2) throw new Error("again");
    if (job.name !== "parent") return job.data.n * 2;
    return Object.values(await job.getChildrenValues()).reduce((sum: number, n) => sum + Number(n), 0);
  }, { connection: connect() });
  await events.waitUntilReady();
  // A hundred jobs are waited for at once.
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  const result = (job: Job) => job.waitUntilFinished(events, WAIT_MS);

  same(await result(await queue.add("usual", { n: 21 })), 42);
  same(await result(await queue.add("delayed", { n: 1 }, { delay: 200 })), 2);
  same(await result(await queue.add("fails twice", { n: 7 }, { attempts: 5, backoff: 50 })), 14);
  const flow = new FlowProducer({ connection: connect() });
  const children = [1, 2, 3].map((n) => ({ name: "child", queueName: "mail", data: { n } }));
  same(await result((await flow.add({ name: "parent", queueName: "mail", children })).job), 12);

  await worker.pause();
  order.length = 0;
  const prioritized = await Promise.all(
    [3, 1, 2].map((priority) => queue.add(`priority ${priority}`, { n: 1 }, { priority })),
  );
  worker.resume();
  await Promise.all(prioritized.map(result));
  same(order, ["priority 1", "priority 2", "priority 3"]);

  order.length = 0;
  await queue.upsertJobScheduler("tick", { every: 100 }, { name: "tick", data: { n: 3 } });
  while (order.filter((name) => name === "tick").length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  await queue.removeJobScheduler("tick");

  const bulk = await queue.addBulk(Array.from({ length: 100 }, (_, n) => ({ name: "bulk", data: { n } })));
  same(await Promise.all(bulk.map(result)), Array.from({ length: 100 }, (_, n) => 2 * n));
  await limited();
  await stalled();
  await queue.obliterate({ force: true });
  same(await queue.getJobCountByTypes("completed", "failed", "wait"), 0);
  await Promise.all([worker.close(), events.close(), flow.close(), queue.close()]);
}

/** At most two jobs in 300 ms: five jobs take at least two such times. */
async function limited(): Promise<void> {
  const queue = new Queue("limited", { connection: connect() });
  const events = new QueueEvents("limited", { connection: connect() });
  await events.waitUntilReady();
  const startMs = Date.now();
  const worker = new Worker("limited", () => Promise.resolve(Date.now()), {
    connection: connect(),
    limiter: { max: 2, duration: 300 },
  });
  const added = await queue.addBulk(Array.from({ length: 5 }, () => ({ name: "limited", data: {} })));
  await Promise.all(added.map((job) => job.waitUntilFinished(events, WAIT_MS)));
  same(Date.now() - startMs >= 600, true);
  await Promise.all([worker.close(), events.close(), queue.close()]);
}

/** A worker is killed in the middle of a job; another worker finds the job stalled and does it. */
async function stalled(): Promise<void> {
  const queue = new Queue("stalled", { connection: connect() });
  const events = new QueueEvents("stalled", { connection: connect() });
  await events.waitUntilReady();
  const job = await queue.add("interrupted", {});
  const config = decodeURI(new URL("deno.json", import.meta.url).pathname);
  const path = decodeURI(new URL(import.meta.url).pathname);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--config", config, "-A", path, String(port), "worker"],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  same(new TextDecoder().decode((await reader.read()).value), "started\n");
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  const worker = new Worker("stalled", () => Promise.resolve("done"), { connection: connect(), stalledInterval: 500 });
  same(await job.waitUntilFinished(events, WAIT_MS), "done");
  await Promise.all([worker.close(), events.close(), queue.close()]);
}
