import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import type { StoreKind } from "./crash-stores.ts";

/** One kill -9, and what came of it. */
export interface Death {
  where: string;
  database: StoreKind;
  /** It left a tick under way, or what else the table counts. */
  leftOpen: boolean;
  /** The next process found every invariant kept, restored what was committed and went on. */
  recovered: boolean;
}

/** A long run says how far it is: one that is cut off would else end without a word. */
const SAY_EVERY = 20;

interface Row {
  failpoint: string;
  database: StoreKind;
  kills: number;
  leftOpen: number;
  outcome: string;
}

/** Where processes died, how often, and whether the next one went on as if nothing had been. */
export class KillTable {
  readonly #deaths: Death[] = [];
  readonly #order: readonly string[];
  readonly #seed: number;
  readonly #file: string | undefined;
  readonly #left: string;

  /**
   * Kept in `file` too: as JSON, or as a Markdown table when it is called so. `left`: what deaths are
   * counted for that left it behind.
   */
  constructor(
    order: readonly string[],
    { seed, file, left = "tick open" }: { seed: number; file?: string | undefined; left?: string },
  ) {
    this.#order = order;
    this.#seed = seed;
    this.#file = file;
    this.#left = left;
  }

  add(where: string, database: StoreKind): Death {
    const death = { where, database, leftOpen: false, recovered: false };
    this.#deaths.push(death);
    if (this.#deaths.length % SAY_EVERY === 0) {
      process.stdout.write(`${this.#summary()}, going on\n`);
      this.write();
    }
    return death;
  }

  get rows(): Row[] {
    const groups = Map.groupBy(this.#deaths, ({ where, database }) => `${database} ${where}`);
    return [...groups.values()].map(rowOf).toSorted((one, other) => this.#compare(one, other));
  }

  print(): void {
    const lines = this.rows.map((row) => {
      const { failpoint, database, kills, leftOpen, outcome } = row;
      const counts = `${String(kills).padStart(5)}  ${String(leftOpen).padStart(this.#left.length)}`;
      return `  ${failpoint.padEnd(40)} ${database.padEnd(9)} ${counts}  ${outcome}`;
    });
    const head = `  ${"failpoint".padEnd(40)} ${"database".padEnd(9)} kills  ${this.#left}  outcome`;
    process.stdout.write(`${this.#summary()}\n${[head, ...lines].join("\n")}\n`);
  }

  write(): void {
    if (this.#file === undefined) return;
    const isMarkdown = extname(this.#file) === ".md";
    const json = { seed: this.#seed, kills: this.#deaths.length, rows: this.rows };
    writeFileSync(this.#file, isMarkdown ? this.#markdown() : `${JSON.stringify(json, null, 2)}\n`);
  }

  #markdown(): string {
    const lines = this.rows.map(
      ({ failpoint, database, kills, leftOpen, outcome }) =>
        `| ${failpoint} | ${database} | ${kills} | ${leftOpen} | ${outcome} |`,
    );
    const head = `| failpoint | database | kills | left: ${this.#left} | outcome |\n|---|---|---|---|---|`;
    return `${this.#summary()}\n\n${[head, ...lines].join("\n")}\n`;
  }

  #summary(): string {
    const of = (kind: StoreKind) => this.#deaths.filter(({ database }) => database === kind).length;
    return `killed ${of("pglite")} times on pglite, ${of("postgres")} times on postgres, seed ${this.#seed}`;
  }

  #compare(one: Row, other: Row): number {
    const place = ({ failpoint }: Row): number => {
      const found = this.#order.indexOf(failpoint);
      return found === -1 ? this.#order.length : found;
    };
    return (
      place(one) - place(other) ||
      one.failpoint.localeCompare(other.failpoint) ||
      one.database.localeCompare(other.database)
    );
  }
}

function rowOf(deaths: readonly Death[]): Row {
  const [{ where, database }] = deaths as readonly [Death, ...Death[]];
  const lost = deaths.filter(({ recovered }) => !recovered).length;
  return {
    failpoint: where,
    database,
    kills: deaths.length,
    leftOpen: deaths.filter(({ leftOpen }) => leftOpen).length,
    outcome: lost === 0 ? "recovered" : `${lost} NOT RECOVERED`,
  };
}
