import { Client, type QueryResult } from "pg";
import { storeMembers } from "./hot/cycle-rows.ts";
import { databaseFault } from "./errors.ts";

const NAMES: ReadonlyMap<unknown, string> = new Map([[storeMembers, "store_members"]]);

/** "No such prepared statement", and "there is one of that name". */
const NOT_OURS = new Set(["26000", "42P05"]);
const READ_ONLY = "25006";

/**
 * A connection whose server parses and plans the long statement of a commit once instead of every
 * time (measured: a tenth of its work). A pooler may hand every transaction to another session, which
 * knows nothing of it: that commit fails and is done again, and from then on without a name.
 */
export class NamedStatementClient extends Client {
  #prepares = true;
  #tellReadOnly: () => void = () => undefined;

  /** `told` hears when the server refuses to write in this session. */
  onReadOnly(told: () => void): void {
    this.#tellReadOnly = told;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- one body for all of the driver's overloads
  override query(query: any, values?: any, callback?: any): any {
    const name = this.#prepares ? NAMES.get(query) : undefined;
    const answer =
      name === undefined
        ? super.query(query, values, callback)
        : this.#prepared({ name, text: String(query), values });
    if (answer instanceof Promise) answer.catch((error: unknown) => this.#hear(error));
    return answer;
  }

  #hear(error: unknown): void {
    if (databaseFault(error)?.sqlState === READ_ONLY) this.#tellReadOnly();
  }

  async #prepared(query: { name: string; text: string; values: unknown[] }): Promise<QueryResult> {
    try {
      return await super.query(query);
    } catch (error) {
      if (NOT_OURS.has(databaseFault(error)?.sqlState ?? "")) this.#prepares = false;
      throw error;
    }
  }
}
