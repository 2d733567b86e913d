import { Migration } from "@mikro-orm/migrations";

export class Migration0004ListIndexes extends Migration {
  override name = "0004-list-indexes";

  override up(): void {
    this.addSql(`drop index "idx_strategies_created";`);
    this.addSql(
      `create index "idx_strategies_created" on "strategies" ("created_at", "id") include ("instance_name") where archived_at is null;`,
    );
    this.addSql(
      `create index "idx_strategies_status" on "strategies" ("status", "created_at", "id") where archived_at is null;`,
    );
  }

  override down(): void {
    this.addSql(`drop index "idx_strategies_status";`);
    this.addSql(`drop index "idx_strategies_created";`);
    this.addSql(
      `create index "idx_strategies_created" on "strategies" ("created_at", "id") where archived_at is null;`,
    );
  }
}
