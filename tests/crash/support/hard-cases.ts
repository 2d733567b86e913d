// What the demo's cast does not bring along: strategies on perpetuals, long and short, and one whose
// every second cycle the database refuses, so that a commit must leave it out and mend its counts.
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import type { OpenStore } from "../../../src/troupe.ts";

const REFUSED = "Fair weather";

const PERPETUAL = [
  { name: "Both ways", params: {} },
  { name: "Both ways, half risk", params: { base_risk_pct: 1 } },
  { name: "Both ways, double risk", params: { base_risk_pct: 4 } },
  { name: "Both ways, close stops", params: { max_sl_distance_pct: 10 } },
];

/** Returns how many strategies it added. */
export async function addHardCases(
  { database, services }: OpenStore,
  owner: { userId: string; actor: string },
): Promise<number> {
  const daily = bundledDefinitions.find(({ name }) => name === "momentum_regime_btc_daily");
  if (daily === undefined) throw new Error("no daily momentum among the bundled definitions");
  const [perpetual] = await services.definitions.sync([
    { ...daily, name: "momentum_perpetual_btc_daily", tradeChannel: "binance_perp" },
  ]);
  if (perpetual === undefined) throw new Error("the perpetual definition was not stored");
  const requests = PERPETUAL.map((request) => ({ ...request, initialBalance: "10000" }));
  const created = await services.strategies.createAll(perpetual, owner, requests);
  await database.sql.run(refuse);
  await database.sql.run(`
    create trigger refuse_some before insert on strategy_compose_cycles
    for each row execute function refuse_some()`);
  return created.length;
}

const refuse = `
  create function refuse_some() returns trigger language plpgsql as $refuse$
  begin
    if new.status = 'completed' and new.cycle_index % 2 = 0 and exists (
      select 1 from strategies s where s.id = new.strategy_id and s.instance_name = '${REFUSED}'
    ) then
      raise check_violation using message = 'refused by the test';
    end if;
    return new;
  end $refuse$`;
