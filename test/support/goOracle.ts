import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
// The path is computed, so that type checking does not follow it into a plain script.
const builder = new URL('../../scripts/go/buildOracle.mjs', import.meta.url).href;

export interface OracleAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly line?: number;
  readonly commands?: readonly { readonly name: string; readonly args: string }[];
  readonly request?: unknown;
  readonly requestError?: string;
  readonly requestPanic?: string;
  /** No verdict: it took too long, or more memory than a process may have. */
  readonly timeout?: true;
  readonly failure?: string;
  readonly panic?: string;
}

/** Address space of one process, KiB: Go's own tables take one GiB of it. What grows beyond ends the process. */
const ADDRESS_SPACE = 4 << 20;
/** Where Go collects garbage in earnest. */
const SOFT_LIMIT = '1GiB';
/** Answers of one process: a fresh one has nothing left over. */
const ANSWERS = 20_000;

interface Question {
  readonly line: string;
  readonly resolve: (answer: string) => void;
}

/**
 * Ollama's own parser in Go processes of ours, one at a time; questions are answered in order. A process has a limit of memory, and is
 * replaced when it dies, when an answer took too long (the work goes on in it, without an end) and after `ANSWERS`.
 * What was asked meanwhile is asked again; a question that ends its process is answered `timeout`.
 */
export class GoOracle {
  private child: ChildProcessWithoutNullStreams;
  private readonly waiting: Question[] = [];
  /** How many of `waiting` the process was given. */
  private given = 0;
  private answered = 0;
  /** Questions to be given one by one, since one of them ended its process. */
  private suspects = 0;
  private isStopped = false;

  private constructor(private readonly program: string) {
    this.child = this.spawn();
  }

  /**
   * Builds the program if need be (Go 1.26 and a module proxy) and starts it.
   * @param version of the Ollama whose code answers; the newest known one without it
   */
  static async start(version?: string): Promise<GoOracle> {
    const { buildOracle } = (await import(builder)) as { buildOracle: (version?: string) => string };
    return GoOracle.at(buildOracle(version));
  }

  /** Starts a program that was built before. */
  static at(path: string): GoOracle {
    return new GoOracle(path);
  }

  /** The answer as the text that Go wrote, so that numbers keep their spelling. */
  askRaw(question: Record<string, unknown>): Promise<string> {
    return new Promise((resolve) => {
      this.waiting.push({ line: `${JSON.stringify(question)}\n`, resolve });
      this.give();
    });
  }

  async ask(question: Record<string, unknown>): Promise<OracleAnswer> {
    return JSON.parse(await this.askRaw(question)) as OracleAnswer;
  }

  /** Of the Ollama whose code answers. */
  async version(): Promise<string> {
    const { ollama } = (await this.ask({ op: 'version' })) as OracleAnswer & { readonly ollama: string };
    return ollama;
  }

  /** Id of the process that answers now. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  stop(): void {
    this.isStopped = true;
    this.child.stdin.end();
  }

  private spawn(): ChildProcessWithoutNullStreams {
    const env = { ...process.env, GOMEMLIMIT: SOFT_LIMIT };
    const child =
      process.platform === 'linux'
        ? spawn('/bin/sh', ['-c', `ulimit -v ${ADDRESS_SPACE} && exec "$0"`, this.program], { stdio: 'pipe', env })
        : spawn(this.program, { stdio: 'pipe', env });
    createInterface({ input: child.stdout }).on('line', (line) => this.take(child, line));
    child.stderr.resume();
    // Nobody waits for a process that went away.
    child.stdin.on('error', () => undefined);
    child.on('error', () => this.ended(child));
    // All that it wrote is read by then.
    child.on('close', () => this.ended(child));
    return child;
  }

  private give(): void {
    const limit = this.suspects > 0 ? 1 : this.waiting.length;
    for (; this.given < Math.min(limit, this.waiting.length); this.given += 1) {
      this.child.stdin.write(this.waiting[this.given]!.line);
    }
  }

  private take(child: ChildProcessWithoutNullStreams, line: string): void {
    if (child !== this.child) {
      return;
    }
    this.settle(line);
    this.answered += 1;
    // A text that says so has backslashes before its quotes.
    if (line.includes('"timeout":true') || this.answered >= ANSWERS) {
      this.replace();
    }
    this.give();
  }

  /** Answers the question that was asked first. */
  private settle(line: string): void {
    this.waiting.shift()?.resolve(line);
    this.given = Math.max(0, this.given - 1);
    this.suspects = Math.max(0, this.suspects - 1);
  }

  private ended(child: ChildProcessWithoutNullStreams): void {
    if (child !== this.child) {
      return;
    }
    if (this.isStopped) {
      this.waiting
        .splice(0)
        .forEach(({ resolve }) => resolve(JSON.stringify({ ok: false, failure: 'it was stopped' })));
      return;
    }
    if (this.answered === 0 && this.given > 0 && child.pid === undefined) {
      this.waiting
        .splice(0)
        .forEach(({ resolve }) => resolve(JSON.stringify({ ok: false, failure: `${this.program} does not start` })));
      return;
    }
    if (this.given === 1) {
      this.settle(JSON.stringify({ ok: false, timeout: true }));
    } else {
      // Answers may have been on their way: which question it was is seen when each is asked alone.
      this.suspects = this.given;
    }
    this.replace();
    this.give();
  }

  private replace(): void {
    this.child.kill('SIGKILL');
    this.given = 0;
    this.answered = 0;
    this.child = this.spawn();
  }
}

/** The oracle, built if Go is on the machine; undefined where it is neither built nor buildable. */
export async function oracleForTests(version?: string): Promise<GoOracle | undefined> {
  try {
    return await GoOracle.start(version);
  } catch (thrown) {
    console.log(`The Go oracle cannot be built here: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return undefined;
  }
}
