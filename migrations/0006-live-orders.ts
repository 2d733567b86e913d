import { Migration } from "@mikro-orm/migrations";

export class Migration0006LiveOrders extends Migration {
  override name = "0006-live-orders";

  override up(): void {
    // Rows of the first version hold the context alone; each says its version.
    this.addSql(`alter table "actor_snapshots" rename column "context" to "snapshot";`);
    this.#checks(
      "'tick', 'stop', 'protection', 'manual', 'order'",
      "'completed', 'failed', 'skipped'",
    );
  }

  override down(): void {
    this.#checks("'tick', 'stop', 'protection', 'manual'", "'completed', 'failed'");
    this.addSql(`alter table "actor_snapshots" rename column "snapshot" to "context";`);
  }

  #checks(causes: string, statuses: string): void {
    const table = `alter table "strategy_compose_cycles"`;
    const cause = "strategy_compose_cycles_cause_check";
    const status = "strategy_compose_cycles_status_check";
    this.addSql(`${table} drop constraint "${cause}";`);
    this.addSql(`${table} add constraint "${cause}" check ("cause" in (${causes}));`);
    this.addSql(`${table} drop constraint "${status}";`);
    this.addSql(`${table} add constraint "${status}" check ("status" in (${statuses}));`);
  }
}
