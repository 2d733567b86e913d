import { existsSync } from "node:fs";
import { tryFolder } from "#adapters/data-folder.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { readConfig, type Config } from "#config/config.ts";
import { DomainError, errorMessage } from "#domain/errors.ts";
import type { Recording } from "#ports/market-feed.ts";
import { pendingMigrations, schemaDrift } from "#persistence/migrations.ts";
import { lookAtFolder } from "#persistence/pglite-folder.ts";
import { checkStatements } from "#persistence/raw-statements.ts";
import { schemaProblem } from "#persistence/schema-check.ts";
import { openConfigured, openFeed, pgliteFolderOf } from "../troupe.ts";
import type { Cell, Column } from "./grid.ts";
import { instant, plural } from "./format.ts";

export interface Finding {
  name: string;
  /** `info`: nothing wrong, nothing to check either. */
  verdict: "ok" | "info" | "wrong";
  detail: string;
}

const NODE = [24, 12] as const;
const ANSWER_MS = 2_000;

/** Looks at everything an engine needs, in the order it needs it. */
export async function examine(): Promise<Finding[]> {
  const config = await look("configuration", () => readConfig(process.env));
  const node = nodeVersion();
  if (config.value === null) return [node, config.finding];
  const settings = config.value;
  const engine = await engineAnswers(settings);
  return [
    node,
    config.finding,
    await candles(settings),
    engine,
    ...(await database(settings, engine.verdict === "ok")),
  ];
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isEnough = major > NODE[0] || (major === NODE[0] && minor >= NODE[1]);
  const detail = isEnough ? "" : `; expected ${NODE.join(".")} or later, run through npm`;
  const verdict = isEnough ? "ok" : "wrong";
  return { name: "node", verdict, detail: `${process.versions.node}${detail}` };
}

async function candles(config: Config): Promise<Finding> {
  const { finding, value } = await look("candles", () => openFeed(config));
  if (value === null) return finding;
  return { ...finding, detail: value.recordings.map(recordedIn).join("; ") };
}

function recordedIn({ symbol, step, from, to, gaps }: Recording): string {
  const missing = gaps === 0 ? "" : `, ${plural(gaps, "gap")}`;
  return `${symbol} by ${step} from ${instant(from)} to ${instant(to)}${missing}`;
}

async function engineAnswers({ url }: Config): Promise<Finding> {
  const name = "running engine";
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const detail = `${url} is ${response.ok ? "ready" : "not ready"}`;
    return { name, verdict: response.ok ? "ok" : "wrong", detail };
  } catch {
    return { name, verdict: "info", detail: `none answers at ${url}` };
  }
}

async function database(config: Config, engineRuns: boolean): Promise<Finding[]> {
  const { databaseUrl, dataDir } = config;
  const name = "database";
  await using resources = new AsyncDisposableStack();
  try {
    if (databaseUrl === undefined) {
      await tryFolder(dataDir);
      if ((await lookAtFolder(pgliteFolderOf(config))) === "new") {
        if (existsSync(dataDir)) await (await lockFolder(dataDir)).release();
        return [
          {
            name,
            verdict: "info",
            detail: `${dataDir} can be written to; made at the first start`,
          },
        ];
      }
    }
    const opened = await openConfigured(config, resources);
    const [row] = await opened.sql.rows("select current_setting('server_version') as version");
    const version = `${opened.kind}, server ${String(row?.["version"])}`;
    const pending = await pendingMigrations(opened);
    const problem = await schemaProblem(opened);
    if (problem !== null) {
      const verdict = pending.length > 0 ? "info" : "wrong";
      return [
        { name, verdict: "ok", detail: version },
        { name: "migrations", verdict, detail: problem },
      ];
    }
    const drift = await schemaDrift(opened);
    const isSame = drift.length === 0;
    const { finding: statements } = await look("statements", () => checkStatements(opened));
    return [
      { name, verdict: "ok", detail: version },
      { name: "migrations", verdict: "ok", detail: "all done" },
      {
        name: "tables",
        verdict: isSame ? "ok" : "wrong",
        detail: isSame ? "as the entities say" : drift.join(" "),
      },
      { ...statements, detail: statements.verdict === "ok" ? "all known" : statements.detail },
    ];
  } catch (error) {
    const isInUse = error instanceof DomainError && error.code === "DATA_FOLDER_TAKEN";
    // The engine that holds the folder has said above how its database is.
    const verdict = isInUse && engineRuns ? "info" : "wrong";
    return [{ name, verdict, detail: errorMessage(error) }];
  }
}

async function look<T>(name: string, work: () => Promise<T> | T) {
  try {
    const finding: Finding = { name, verdict: "ok", detail: "readable" };
    return { finding, value: await work() };
  } catch (error) {
    const finding: Finding = { name, verdict: "wrong", detail: errorMessage(error) };
    return { finding, value: null };
  }
}

export const findingColumns: readonly Column<Finding>[] = [
  { head: "CHECK", cell: ({ name }) => name },
  { head: "", cell: verdictOf },
  { head: "", cell: ({ detail }) => detail, elastic: true },
];

function verdictOf({ verdict }: Finding): Cell {
  const styles = { ok: "green", info: "dim", wrong: "red" } as const;
  return { text: verdict, style: styles[verdict] };
}
