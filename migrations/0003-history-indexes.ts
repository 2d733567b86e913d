import { Migration } from "@mikro-orm/migrations";

export class Migration0003HistoryIndexes extends Migration {
  override name = "0003-history-indexes";

  override up(): void {
    this.addSql(`drop index "idx_strategies_created";`);
    this.addSql(`drop index "idx_strategies_name";`);
    this.addSql(`drop index "idx_strategies_user";`);
    this.addSql(
      `create index "idx_strategies_definition" on "strategies" ("strategy_definition_id", "created_at", "id") where archived_at is null;`,
    );
    this.addSql(
      `create index "idx_strategies_created" on "strategies" ("created_at", "id") where archived_at is null;`,
    );
    this.addSql(
      `create index "idx_strategies_name" on "strategies" ("instance_name", "id") where archived_at is null;`,
    );
    this.addSql(
      `create index "idx_strategies_user" on "strategies" ("user_id", "created_at", "id") where archived_at is null;`,
    );
    this.addSql(`alter table "strategy_compose_cycles" drop constraint "uq_strategy_cycle_tick";`);
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "uq_strategy_cycle_tick" unique ("tick_id", "strategy_id");`,
    );
  }

  override down(): void {
    this.addSql(`drop index "idx_strategies_definition";`);
    this.addSql(`drop index "idx_strategies_created";`);
    this.addSql(`drop index "idx_strategies_name";`);
    this.addSql(`drop index "idx_strategies_user";`);
    this.addSql(`create index "idx_strategies_created" on "strategies" ("created_at", "id");`);
    this.addSql(`create index "idx_strategies_name" on "strategies" ("instance_name", "id");`);
    this.addSql(
      `create index "idx_strategies_user" on "strategies" ("user_id", "created_at", "id");`,
    );
    this.addSql(`alter table "strategy_compose_cycles" drop constraint "uq_strategy_cycle_tick";`);
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "uq_strategy_cycle_tick" unique ("strategy_id", "tick_id");`,
    );
  }
}
