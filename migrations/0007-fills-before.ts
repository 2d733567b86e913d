import { Migration } from "@mikro-orm/migrations";

export class Migration0007FillsBefore extends Migration {
  override name = "0007-fills-before";

  override up(): void {
    this.addSql(`alter table "strategy_compose_cycles" add "fills_before" jsonb null;`);
  }

  override down(): void {
    this.addSql(`alter table "strategy_compose_cycles" drop column "fills_before";`);
  }
}
