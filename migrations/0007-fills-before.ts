import { Migration } from "@mikro-orm/migrations";

const without = `alter table "strategies" drop constraint "strategies_stop_reason_check";`;

function stopReasons(...reasons: string[]): string {
  const list = reasons.map((reason) => `'${reason}'`).join(", ");
  return `alter table "strategies" add constraint "strategies_stop_reason_check" check ("stop_reason" in (${list}));`;
}

/**
 * What a cycle found of earlier fills, an account that ended as a reason to stop, and who is still
 * stopping.
 */
export class Migration0007FillsBefore extends Migration {
  override name = "0007-fills-before";

  override up(): void {
    this.addSql(`alter table "strategy_compose_cycles" add "fills_before" jsonb null;`);
    this.addSql(without);
    this.addSql(
      stopReasons("normal_exit", "error", "error_closing_positions", "bankrupt", "cancelled"),
    );
    this.addSql(
      `create index "idx_strategies_stopping" on "strategies" ("strategy_definition_id", "shard_id") where stop_command_id is not null;`,
    );
  }

  override down(): void {
    this.addSql(`drop index "idx_strategies_stopping";`);
    this.addSql(`alter table "strategy_compose_cycles" drop column "fills_before";`);
    this.addSql(
      `update "strategies" set "stop_reason" = 'error' where "stop_reason" = 'bankrupt';`,
    );
    this.addSql(without);
    this.addSql(stopReasons("normal_exit", "error", "error_closing_positions", "cancelled"));
  }
}
