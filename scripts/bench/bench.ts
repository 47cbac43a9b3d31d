/**
 * What every part of `bench:peers` is given, the servers and the flags, and how it prints: tables in Markdown with a
 * column for each server and, where there are peers, one that compares. It measures nothing itself.
 */
import { type Kind, Running } from "./servers.ts";

export interface BenchOptions {
  /** MemDB first, then the peers. */
  readonly kinds: readonly Kind[];
  readonly tests: readonly string[];
  readonly pipelines: readonly number[];
  readonly rounds: number;
  readonly requests: number;
  readonly keyCounts: readonly number[];
  /** Elements of a large collection. */
  readonly elements: number;
  readonly valueBytes: number;
  readonly firstPort: number;
}

export class Bench {
  readonly options: BenchOptions;
  /** The columns behind those that name a row: the servers, and MemDB's figure over the better peer's. */
  readonly columns: readonly string[];
  readonly compares: boolean;

  constructor(options: BenchOptions) {
    this.options = options;
    this.compares = options.kinds.length > 1;
    this.columns = [...options.kinds.map(({ name }) => name), ...this.compares ? ["ratio"] : []];
  }

  head(title: string, ...columns: string[]): void {
    console.log(`\n### ${title}\n`);
    this.row(...columns);
    this.row(...columns.map(() => "---"));
  }

  row(...cells: string[]): void {
    console.log(`| ${cells.join(" | ")} |`);
  }

  /** The cell of the last column for one figure of each server. */
  ratio(figures: readonly number[]): string[] {
    return this.ratioOfRounds([figures]);
  }

  /** The same for several rounds: what else happens on the machine hits all servers of a round alike. */
  ratioOfRounds(rounds: readonly (readonly number[])[]): string[] {
    if (!this.compares) return [];
    return [`**${median(rounds.map(([own, ...peers]) => own / Math.min(...peers))).toFixed(2)}**`];
  }

  /** Starts all servers on ports of their own, and stops them behind `body`. */
  async withAll(body: (servers: Running[]) => Promise<void>, aof?: string): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const servers: Running[] = [];
    for (const [i, kind] of this.options.kinds.entries()) {
      servers.push(stack.use(await Running.start(kind, this.options.firstPort + i, { aof })));
    }
    await body(servers);
  }

  /** One figure of each server, each of which starts alone for it. */
  async each<Figure = number>(measure: (server: Running) => Promise<Figure>): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const kind of this.options.kinds) {
      await using server = await Running.start(kind, this.options.firstPort);
      figures.push(await measure(server));
    }
    return figures;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A count as people read it: 1,000,000. */
export function counted(n: number): string {
  return n.toLocaleString("en");
}
