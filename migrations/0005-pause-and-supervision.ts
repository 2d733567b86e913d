import { Migration } from "@mikro-orm/migrations";

export class Migration0005PauseAndSupervision extends Migration {
  override name = "0005-pause-and-supervision";

  override up(): void {
    this.addSql(`alter table "strategy_definitions" add "paused_at" timestamptz null;`);
    this.addSql(`alter table "strategies" add "stop_request_cause" text null;`);
    this.addSql(
      `alter table "strategies" add constraint "strategies_stop_request_cause_check" check ("stop_request_cause" in ('request', 'error'));`,
    );
    this.addSql(
      `create index "idx_ticks_skipped" on "ticks" ("definition_id") where status = 'skipped';`,
    );
  }

  override down(): void {
    this.addSql(`drop index "idx_ticks_skipped";`);
    this.addSql(`alter table "strategies" drop column "stop_request_cause";`);
    this.addSql(`alter table "strategy_definitions" drop column "paused_at";`);
  }
}
