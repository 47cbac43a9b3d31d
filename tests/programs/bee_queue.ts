/** bee-queue: jobs, retries, delays and progress. Argument: the port. Exits with 0 if every job ends as it should. */
import { deepStrictEqual as same } from "node:assert";
import process from "node:process";
import Queue from "bee-queue";

interface Sum {
  x: number;
  y: number;
}

const redis = { host: "127.0.0.1", port: Number(process.argv[2]) };
const queue = new Queue<Sum>("sums", { redis, activateDelayedJobs: true });
let attempts = 0;
queue.process(2, async (job: Queue.Job<Sum>) => {
  job.reportProgress({ half: job.data.x });
  if (job.data.x < 0 && ++attempts < 3) throw new Error("not yet");
  return await Promise.resolve(job.data.x + job.data.y);
});

/** The result of a job, and its last report of progress. */
async function resultOf(job: Queue.Job<Sum>): Promise<[unknown, unknown]> {
  let progress: unknown;
  job.on("progress", (report: unknown) => progress = report);
  const result = await new Promise((resolve) => {
    job.on("succeeded", resolve);
    void job.save();
  });
  return [result, progress];
}

same(await resultOf(queue.createJob({ x: 2, y: 3 })), [5, { half: 2 }]);
same(await resultOf(queue.createJob({ x: 4, y: 4 }).delayUntil(Date.now() + 200)), [8, { half: 4 }]);
same((await resultOf(queue.createJob({ x: -1, y: 1 }).retries(5)))[0], 0);
same(attempts, 3);
const many = await Promise.all(
  Array.from({ length: 50 }, (_, i) => resultOf(queue.createJob({ x: i, y: i })).then(([sum]) => sum)),
);
same(many, Array.from({ length: 50 }, (_, i) => 2 * i));
const { active, delayed, failed, waiting } = await queue.checkHealth();
same({ active, delayed, failed, waiting }, { active: 0, delayed: 0, failed: 0, waiting: 0 });
await queue.close();
process.exit(0);
