import { Client, type QueryResult } from "pg";
import { storeMembers } from "./hot/cycle-rows.ts";
import { databaseFault } from "./errors.ts";

const NAMES: ReadonlyMap<unknown, string> = new Map([[storeMembers, "store_members"]]);

/** "No such prepared statement", and "there is one of that name". */
const NOT_OURS = new Set(["26000", "42P05"]);

/**
 * A connection whose server parses and plans the long statement of a commit once instead of every
 * time (measured: a tenth of its work). A pooler may hand every transaction to another session, which
 * knows nothing of it: that commit fails and is done again, and from then on without a name.
 */
export class NamedStatementClient extends Client {
  #prepares = true;

  // oxlint-disable-next-line typescript/no-explicit-any -- one body for all of the driver's overloads
  override query(query: any, values?: any, callback?: any): any {
    const name = this.#prepares ? NAMES.get(query) : undefined;
    if (name === undefined) return super.query(query, values, callback);
    return this.#prepared({ name, text: String(query), values });
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
