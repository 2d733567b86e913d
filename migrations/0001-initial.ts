import { Migration } from "@mikro-orm/migrations";

// Generated from the entities; the storage settings at the end are by hand.
export class Migration0001Initial extends Migration {
  override name = "0001-initial";

  override up(): void {
    this.addSql(
      `create table "agent_registry" ("id" uuid not null default gen_random_uuid(), "agent_name" text not null, "display_name" text not null, "description" text not null, "agent_module" text not null, "agent_class" text not null, "available_tools" jsonb not null default '[]', "is_active" boolean not null default true, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(
      `alter table "agent_registry" add constraint "uq_agent_name" unique ("agent_name");`,
    );

    this.addSql(
      `create table "api_config" ("id" uuid not null default gen_random_uuid(), "api_name" text not null, "display_name" text not null, "description" text not null, "base_url" text null, "api_key_encrypted" text null, "api_secret_encrypted" text null, "encryption_key_id" text null, "key_rotated_at" timestamptz null, "rate_limit" int null, "is_active" boolean not null default true, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`alter table "api_config" add constraint "uq_api_name" unique ("api_name");`);
    this.addSql(
      `alter table "api_config" add constraint "api_config_rate_limit_check" check (rate_limit > 0);`,
    );

    this.addSql(
      `create table "audit_log" ("id" uuid not null default gen_random_uuid(), "actor" text not null, "action" text not null, "subject_type" text not null, "subject_id" text not null, "detail" jsonb not null default '{}', "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`create index "idx_audit_log_created" on "audit_log" ("created_at", "id");`);
    this.addSql(
      `create index "idx_audit_log_subject" on "audit_log" ("subject_type", "subject_id", "created_at");`,
    );

    this.addSql(
      `create table "strategy_definitions" ("id" uuid not null, "name" text not null, "display_name" text not null, "description" text not null, "philosophy" text not null, "decision_agent_module" text not null, "decision_agent_class" text not null, "business_agents" jsonb not null, "trade_channel" text not null, "trade_symbols" jsonb not null, "rebalance_period_minutes" int not null, "default_params" jsonb not null, "version" int not null default 1, "catch_up" text not null default 'one', "is_active" boolean not null default true, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(
      `alter table "strategy_definitions" add constraint "uq_strategy_definition_name" unique ("name");`,
    );
    this.addSql(
      `alter table "strategy_definitions" add constraint "strategy_definitions_rebalance_period_minutes_check" check (rebalance_period_minutes > 0);`,
    );
    this.addSql(
      `alter table "strategy_definitions" add constraint "strategy_definitions_catch_up_check" check ("catch_up" in ('one', 'skip'));`,
    );

    this.addSql(
      `create table "shards" ("id" uuid not null, "definition_id" uuid not null, "number" int not null, "version" bigint not null default '0', "roster_version" bigint not null default '0', "fanned_tick_id" uuid null, "settled_tick_id" uuid null, "settled_cycles" int not null default 0, "settled_failures" int not null default 0, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(
      `alter table "shards" add constraint "uq_shard_number" unique ("definition_id", "number");`,
    );

    this.addSql(
      `create table "definition_versions" ("definition_id" uuid not null, "version" int not null, "content" jsonb not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("definition_id", "version"));`,
    );

    this.addSql(
      `create table "strategy_prompts" ("id" uuid not null default gen_random_uuid(), "name" text not null, "content" text not null, "is_system" boolean not null default false, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );

    this.addSql(
      `create table "ticks" ("id" uuid not null, "definition_id" uuid not null, "scheduled_for" timestamptz not null, "previous_for" timestamptz null, "status" text not null, "definition_version" int null, "market_snapshot" jsonb null, "analysis_ms" int null, "deadline" timestamptz null, "shards_total" int not null default 0, "shards_settled" int not null default 0, "cycles" int not null default 0, "failures" int not null default 0, "error" jsonb null, "closed_at" timestamptz null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`create index "idx_ticks_scheduled_for" on "ticks" ("scheduled_for", "id");`);
    this.addSql(
      `create unique index "uq_tick_open" on "ticks" ("definition_id") where status in ('pending', 'running');`,
    );
    this.addSql(
      `alter table "ticks" add constraint "uq_tick_scheduled_for" unique ("definition_id", "scheduled_for");`,
    );
    this.addSql(
      `alter table "ticks" add constraint "ticks_status_check" check ("status" in ('pending', 'running', 'completed', 'timed_out', 'skipped', 'failed'));`,
    );

    this.addSql(
      `create table "agent_runs" ("id" uuid not null, "tick_id" uuid not null, "agent" text not null, "status" text not null, "signal" text null, "confidence" double precision null, "score" double precision null, "reasoning" text null, "data" jsonb null, "provenance" jsonb null, "reason" text null, "duration_ms" double precision not null, "model" text null, "tokens" int null, "cost" numeric(38,18) null, "prompt" text null, "reply" text null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(
      `alter table "agent_runs" add constraint "uq_agent_run" unique ("tick_id", "agent");`,
    );
    this.addSql(
      `alter table "agent_runs" add constraint "agent_runs_status_check" check ("status" in ('ok', 'failed', 'timeout', 'unavailable'));`,
    );
    this.addSql(
      `alter table "agent_runs" add constraint "agent_runs_signal_check" check ("signal" in ('BULLISH', 'BEARISH', 'NEUTRAL'));`,
    );

    this.addSql(
      `create table "tool_registry" ("id" uuid not null default gen_random_uuid(), "tool_name" text not null, "display_name" text not null, "description" text not null, "tool_module" text not null, "tool_function" text not null, "required_apis" jsonb not null default '[]', "is_active" boolean not null default true, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`alter table "tool_registry" add constraint "uq_tool_name" unique ("tool_name");`);

    this.addSql(
      `create table "users" ("id" uuid not null default gen_random_uuid(), "email" text not null, "full_name" text not null, "role" text not null default 'user', "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`alter table "users" add constraint "uq_user_email" unique ("email");`);
    this.addSql(
      `alter table "users" add constraint "users_role_check" check ("role" in ('user', 'trader', 'admin'));`,
    );

    this.addSql(
      `create table "strategies" ("id" uuid not null default gen_random_uuid(), "strategy_definition_id" uuid not null, "user_id" uuid not null, "shard_id" uuid not null, "instance_name" text not null, "instance_description" text not null default '', "instance_params" jsonb not null, "params_version" int not null default 1, "trading_mode" text not null default 'paper', "status" text not null default 'running', "state" text not null default 'running', "desired_status" text not null default 'running', "stop_command_id" uuid null, "stop_close_positions" boolean null, "stop_request_reason" text null, "stop_reason" text null, "stop_reason_detail" text null, "is_active" boolean not null default true, "initial_balance" numeric(38,18) not null, "current_balance" numeric(38,18) not null, "total_value" numeric(38,18) not null, "realized_pnl" numeric(38,18) not null, "unrealized_pnl" numeric(38,18) not null, "total_pnl" numeric(38,18) not null, "total_trades" int not null default 0, "winning_trades" int not null default 0, "losing_trades" int not null default 0, "win_rate" numeric(38,18) null, "max_drawdown" numeric(38,18) not null, "peak_value" numeric(38,18) not null, "cycle_index" int not null default 0, "last_execution_time" timestamptz null, "strategy_metadata" jsonb not null default '{}', "tags" jsonb not null default '[]', "risk_level" text not null default 'medium', "archived_at" timestamptz null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`create index "idx_strategies_shard" on "strategies" ("shard_id");`);
    this.addSql(`create index "idx_strategies_created" on "strategies" ("created_at", "id");`);
    this.addSql(`create index "idx_strategies_name" on "strategies" ("instance_name", "id");`);
    this.addSql(
      `create index "idx_strategies_user" on "strategies" ("user_id", "created_at", "id");`,
    );
    this.addSql(
      `create index "idx_strategies_wanted" on "strategies" ("strategy_definition_id", "shard_id", "created_at") where desired_status = 'running' and archived_at is null;`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_initial_balance_check" check (initial_balance > 0);`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_trading_mode_check" check ("trading_mode" in ('paper', 'live'));`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_status_check" check ("status" in ('running', 'stopped', 'cancelled'));`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_state_check" check ("state" in ('running', 'composing', 'executing', 'stopped', 'cancelled'));`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_desired_status_check" check ("desired_status" in ('running', 'stopped'));`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_stop_reason_check" check ("stop_reason" in ('normal_exit', 'error', 'error_closing_positions', 'cancelled'));`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_risk_level_check" check ("risk_level" in ('low', 'medium', 'high'));`,
    );

    this.addSql(
      `create table "strategy_param_versions" ("strategy_id" uuid not null, "version" int not null, "params" jsonb not null, "changed_by" text null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("strategy_id", "version"));`,
    );

    this.addSql(
      `create table "strategy_compose_cycles" ("strategy_id" uuid not null, "cycle_index" int not null, "compose_id" uuid not null, "tick_id" uuid null, "cause" text not null, "compose_time" timestamptz not null, "status" text not null, "rationale" text not null, "decision" jsonb null, "state_before" jsonb null, "params_version" int not null, "definition_version" int not null, "error" jsonb null, "duration_ms" double precision not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("strategy_id", "cycle_index"));`,
    );
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "uq_strategy_compose_cycle" unique ("strategy_id", "compose_id");`,
    );
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "uq_strategy_cycle_tick" unique ("strategy_id", "tick_id");`,
    );
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "strategy_compose_cycles_cause_check" check ("cause" in ('tick', 'stop', 'protection', 'manual'));`,
    );
    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "strategy_compose_cycles_status_check" check ("status" in ('completed', 'failed'));`,
    );

    this.addSql(
      `create table "strategy_portfolio_views" ("strategy_id" uuid not null, "cycle_index" int not null, "snapshot_ts" timestamptz not null, "cash" numeric(38,18) not null, "total_value" numeric(38,18) not null, "total_realized_pnl" numeric(38,18) not null, "total_unrealized_pnl" numeric(38,18) not null, "gross_exposure" numeric(38,18) not null, "net_exposure" numeric(38,18) not null, "buying_power" numeric(38,18) not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), constraint "uq_strategy_portfolio_snapshot" primary key ("strategy_id", "cycle_index"));`,
    );

    this.addSql(
      `create table "strategy_holdings" ("strategy_id" uuid not null, "cycle_index" int not null, "symbol" text not null, "type" text not null, "quantity" numeric(38,18) not null, "leverage" double precision not null, "entry_price" numeric(38,18) not null, "cost" numeric(38,18) not null, "mark_price" numeric(38,18) not null, "mark_quality" text not null, "notional" numeric(38,18) not null, "unrealized_pnl" numeric(38,18) not null, "unrealized_pnl_pct" numeric(38,18) not null, "entry_time" timestamptz not null, "liquidation_price" numeric(38,18) null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), constraint "uq_strategy_holding_snapshot" primary key ("strategy_id", "cycle_index", "symbol"));`,
    );
    this.addSql(
      `alter table "strategy_holdings" add constraint "strategy_holdings_type_check" check ("type" in ('LONG', 'SHORT'));`,
    );
    this.addSql(
      `alter table "strategy_holdings" add constraint "strategy_holdings_mark_quality_check" check ("mark_quality" in ('fresh', 'stale'));`,
    );

    this.addSql(
      `create table "strategy_instructions" ("strategy_id" uuid not null, "instruction_id" uuid not null, "cycle_index" int not null, "compose_id" uuid not null, "position" int not null, "symbol" text not null, "action" text not null, "side" text not null, "quantity" numeric(38,18) not null, "leverage" double precision not null, "price_mode" text not null, "limit_price" numeric(38,18) null, "reduce_only" boolean not null, "client_order_id" text not null, "note" text null, "status" text not null, "reason" text null, "exchange_order_id" text null, "filled_quantity" numeric(38,18) not null, "average_price" numeric(38,18) null, "fee" numeric(38,18) not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), constraint "uq_strategy_instruction_id" primary key ("strategy_id", "instruction_id"));`,
    );
    this.addSql(
      `create index "idx_strategy_instructions_cycle" on "strategy_instructions" ("strategy_id", "cycle_index");`,
    );
    this.addSql(
      `alter table "strategy_instructions" add constraint "strategy_instructions_action_check" check ("action" in ('open_long', 'open_short', 'close_long', 'close_short'));`,
    );
    this.addSql(
      `alter table "strategy_instructions" add constraint "strategy_instructions_side_check" check ("side" in ('BUY', 'SELL'));`,
    );
    this.addSql(
      `alter table "strategy_instructions" add constraint "strategy_instructions_price_mode_check" check ("price_mode" in ('market', 'limit'));`,
    );
    this.addSql(
      `alter table "strategy_instructions" add constraint "strategy_instructions_status_check" check ("status" in ('pending', 'filled', 'partial', 'rejected', 'error'));`,
    );

    this.addSql(
      `create table "strategy_details" ("strategy_id" uuid not null, "trade_id" uuid not null, "cycle_index" int not null, "compose_id" uuid not null, "instruction_id" uuid not null, "leg_number" int not null, "position" int not null, "symbol" text not null, "kind" text not null, "type" text not null, "side" text not null, "leverage" double precision not null, "quantity" numeric(38,18) not null, "entry_price" numeric(38,18) not null, "exit_price" numeric(38,18) null, "notional_entry" numeric(38,18) not null, "notional_exit" numeric(38,18) null, "fee_cost" numeric(38,18) not null, "realized_pnl" numeric(38,18) null, "realized_pnl_pct" numeric(38,18) null, "entry_time" timestamptz not null, "exit_time" timestamptz null, "holding_ms" bigint null, "event_time" timestamptz not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), constraint "uq_strategy_trade_id" primary key ("strategy_id", "trade_id"));`,
    );
    this.addSql(
      `create index "idx_strategy_details_cycle" on "strategy_details" ("strategy_id", "cycle_index");`,
    );
    this.addSql(
      `alter table "strategy_details" add constraint "strategy_details_kind_check" check ("kind" in ('open', 'close'));`,
    );
    this.addSql(
      `alter table "strategy_details" add constraint "strategy_details_type_check" check ("type" in ('LONG', 'SHORT'));`,
    );
    this.addSql(
      `alter table "strategy_details" add constraint "strategy_details_side_check" check ("side" in ('BUY', 'SELL'));`,
    );

    this.addSql(
      `create table "alerts" ("id" uuid not null default gen_random_uuid(), "kind" text not null, "severity" text not null, "subject" text not null, "strategy_id" uuid null, "message" text not null, "detail" jsonb not null, "occurrences" int not null default 1, "first_seen_at" timestamptz not null default now(), "last_seen_at" timestamptz not null default now(), "resolved_at" timestamptz null, "resolved_by" text null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(`create index "idx_alerts_strategy" on "alerts" ("strategy_id");`);
    this.addSql(`create index "idx_alerts_first_seen" on "alerts" ("first_seen_at", "id");`);
    this.addSql(
      `create unique index "uq_alert_open" on "alerts" ("kind", "subject") where resolved_at is null;`,
    );
    this.addSql(
      `alter table "alerts" add constraint "alerts_severity_check" check ("severity" in ('warning', 'error', 'critical'));`,
    );

    this.addSql(
      `create table "actor_snapshots" ("strategy_id" uuid not null, "machine" text not null, "version" int not null, "value" text not null, "hash" text not null, "context" text not null, "seq" bigint not null default '0', "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("strategy_id"));`,
    );

    this.addSql(
      `create table "exchange_accounts" ("id" uuid not null default gen_random_uuid(), "user_id" uuid not null, "exchange" text not null, "label" text not null, "credentials_encrypted" text not null, "encryption_key_id" text not null, "is_active" boolean not null default true, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"));`,
    );
    this.addSql(
      `alter table "exchange_accounts" add constraint "uq_exchange_account" unique ("user_id", "exchange", "label");`,
    );

    this.addSql(
      `alter table "shards" add constraint "shards_definition_id_foreign" foreign key ("definition_id") references "strategy_definitions" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "definition_versions" add constraint "definition_versions_definition_id_foreign" foreign key ("definition_id") references "strategy_definitions" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "ticks" add constraint "ticks_definition_id_foreign" foreign key ("definition_id") references "strategy_definitions" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "agent_runs" add constraint "agent_runs_tick_id_foreign" foreign key ("tick_id") references "ticks" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "strategies" add constraint "strategies_strategy_definition_id_foreign" foreign key ("strategy_definition_id") references "strategy_definitions" ("id");`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_user_id_foreign" foreign key ("user_id") references "users" ("id");`,
    );
    this.addSql(
      `alter table "strategies" add constraint "strategies_shard_id_foreign" foreign key ("shard_id") references "shards" ("id");`,
    );

    this.addSql(
      `alter table "strategy_param_versions" add constraint "strategy_param_versions_strategy_id_foreign" foreign key ("strategy_id") references "strategies" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "strategy_compose_cycles" add constraint "strategy_compose_cycles_strategy_id_foreign" foreign key ("strategy_id") references "strategies" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "strategy_portfolio_views" add constraint "strategy_portfolio_views_strategy_id_cycle_index_foreign" foreign key ("strategy_id", "cycle_index") references "strategy_compose_cycles" ("strategy_id", "cycle_index") on update no action on delete cascade;`,
    );

    this.addSql(
      `alter table "strategy_holdings" add constraint "strategy_holdings_strategy_id_cycle_index_foreign" foreign key ("strategy_id", "cycle_index") references "strategy_portfolio_views" ("strategy_id", "cycle_index") on update no action on delete cascade;`,
    );

    this.addSql(
      `alter table "strategy_instructions" add constraint "strategy_instructions_strategy_id_cycle_index_foreign" foreign key ("strategy_id", "cycle_index") references "strategy_compose_cycles" ("strategy_id", "cycle_index") on update no action on delete cascade;`,
    );

    this.addSql(
      `alter table "strategy_details" add constraint "strategy_details_strategy_id_cycle_index_foreign" foreign key ("strategy_id", "cycle_index") references "strategy_compose_cycles" ("strategy_id", "cycle_index") on update no action on delete cascade;`,
    );

    this.addSql(
      `alter table "alerts" add constraint "alerts_strategy_id_foreign" foreign key ("strategy_id") references "strategies" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "actor_snapshots" add constraint "actor_snapshots_strategy_id_foreign" foreign key ("strategy_id") references "strategies" ("id") on update no action on delete cascade;`,
    );

    this.addSql(
      `alter table "exchange_accounts" add constraint "exchange_accounts_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade;`,
    );

    // Every cycle rewrites these rows, a shard's together: half of each page is kept free so that
    // the new versions fit beside the old ones and no index is touched (HOT).
    this.addSql(`alter table "strategies" set (fillfactor = 50);`);
    this.addSql(`alter table "actor_snapshots" set (fillfactor = 50, toast_tuple_target = 4080);`);
    this.addSql(`alter table "shards" set (fillfactor = 50);`);
  }

  override down(): void {
    this.addSql(`drop table if exists "exchange_accounts" cascade;`);
    this.addSql(`drop table if exists "actor_snapshots" cascade;`);
    this.addSql(`drop table if exists "alerts" cascade;`);
    this.addSql(`drop table if exists "strategy_details" cascade;`);
    this.addSql(`drop table if exists "strategy_instructions" cascade;`);
    this.addSql(`drop table if exists "strategy_holdings" cascade;`);
    this.addSql(`drop table if exists "strategy_portfolio_views" cascade;`);
    this.addSql(`drop table if exists "strategy_compose_cycles" cascade;`);
    this.addSql(`drop table if exists "strategy_param_versions" cascade;`);
    this.addSql(`drop table if exists "strategies" cascade;`);
    this.addSql(`drop table if exists "users" cascade;`);
    this.addSql(`drop table if exists "tool_registry" cascade;`);
    this.addSql(`drop table if exists "agent_runs" cascade;`);
    this.addSql(`drop table if exists "ticks" cascade;`);
    this.addSql(`drop table if exists "strategy_prompts" cascade;`);
    this.addSql(`drop table if exists "definition_versions" cascade;`);
    this.addSql(`drop table if exists "shards" cascade;`);
    this.addSql(`drop table if exists "strategy_definitions" cascade;`);
    this.addSql(`drop table if exists "audit_log" cascade;`);
    this.addSql(`drop table if exists "api_config" cascade;`);
    this.addSql(`drop table if exists "agent_registry" cascade;`);
  }
}
