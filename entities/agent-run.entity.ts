import { AgentSignal, type Provenance } from "#domain/analysis.ts";
import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { amount, double, timestamps } from "./columns.ts";
import { Tick } from "./tick.entity.ts";

/** What one business agent said, or why it could not, at one tick. */
const AgentRunSchema = defineEntity({
  name: "AgentRun",
  tableName: "agent_runs",
  properties: {
    id: p.uuid().primary(),
    tick: () => p.manyToOne(Tick).deleteRule("cascade"),
    agent: p.text(),
    status: p.enum(["ok", "failed", "timeout", "unavailable"] as const),
    signal: p.enum(Object.values(AgentSignal)).nullable(),
    confidence: double().nullable(),
    score: double().nullable(),
    reasoning: p.text().nullable(),
    data: p.json<JsonObject>().nullable(),
    provenance: p.json<Provenance[]>().nullable(),
    // Why there is no reading.
    reason: p.text().nullable(),
    durationMs: double(),
    model: p.text().nullable(),
    tokens: p.integer().nullable(),
    cost: amount().nullable(),
    prompt: p.text().nullable(),
    reply: p.text().nullable(),
    ...timestamps(),
  },
  uniques: [{ name: "uq_agent_run", properties: ["tick", "agent"] }],
});

export class AgentRun extends AgentRunSchema.class {}
AgentRunSchema.setClass(AgentRun);
