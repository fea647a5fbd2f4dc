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
  readonly failure?: string;
  readonly panic?: string;
}

/** Ollama's own parser in a Go process of ours; questions are answered in order. */
export class GoOracle {
  private readonly waiting: ((line: string) => void)[] = [];

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    createInterface({ input: child.stdout }).on('line', (line) => this.waiting.shift()?.(line));
    child.stderr.resume();
    // Nobody waits for a process that went away.
    child.stdin.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      for (const answer of this.waiting.splice(0)) {
        answer(JSON.stringify({ ok: false, failure: `the oracle ended: ${String(code ?? signal)}` }));
      }
    });
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
    return new GoOracle(spawn(path, { stdio: 'pipe' }));
  }

  /** The answer as the text that Go wrote, so that numbers keep their spelling. */
  askRaw(question: Record<string, unknown>): Promise<string> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(`${JSON.stringify(question)}\n`);
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

  stop(): void {
    this.child.stdin.end();
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
