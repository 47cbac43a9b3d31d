/**
 * `deno task test:services`: starts the services of compose.yaml, runs the differential tests on them, and stops them
 * again. Exits with the status of the tests.
 */
const ADDRESSES = { DIFFERENTIAL_MEMDB: "127.0.0.1:16379", DIFFERENTIAL_REDIS: "127.0.0.1:16380" };

/** Runs a program with this terminal. Returns its exit status; 127 when there is no such program. */
async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<number> {
  try {
    return (await new Deno.Command(program, { args, env, stdin: "null" }).spawn().status).code;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(`${program} is not installed: the services run in containers`);
    return 127;
  }
}

let status = await run("docker", ["compose", "up", "--detach", "--build", "--wait"]);
if (status === 0) status = await run(Deno.execPath(), ["test", "-P", "tests/differential/", ...Deno.args], ADDRESSES);
if (status !== 127) await run("docker", ["compose", "down", "--volumes"]);
Deno.exit(status);
