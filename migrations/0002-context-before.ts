import { Migration } from "@mikro-orm/migrations";

export class Migration0002ContextBefore extends Migration {
  override name = "0002-context-before";

  override up(): void {
    this.addSql(`alter table "strategy_compose_cycles" add "context_before" jsonb null;`);
  }

  override down(): void {
    this.addSql(`alter table "strategy_compose_cycles" drop column "context_before";`);
  }
}
