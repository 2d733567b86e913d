import { describe, expect, test } from "vitest";
import type { Definition } from "#domain/definition.ts";
import { boundaryAt, newestBoundary, nextDue } from "#engine/schedule.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import type { ScheduledDefinition } from "#ports/store.ts";

const MINUTE = 60_000;
const noon = Date.UTC(2026, 10, 21, 12);

function scheduled(
  change: Partial<ScheduledDefinition> & { template?: Partial<Definition> } = {},
): ScheduledDefinition {
  const [base] = bundledDefinitions;
  if (base === undefined) throw new Error("no bundled definition");
  const { template, ...rest } = change;
  return {
    definition: { ...base, periodMinutes: 10, ...template },
    members: 3,
    isPaused: false,
    lastScheduledFor: null,
    since: null,
    ...rest,
  };
}

const at = (now: number, startedAt = now): { now: number; startedAt: number } => ({
  now,
  startedAt,
});

describe("the schedule of a definition", () => {
  test("boundaries are multiples of the period since 1970 UTC, daylight saving or not", () => {
    expect(boundaryAt(noon + 7 * MINUTE, 10 * MINUTE)).toBe(noon);
    const daily = 1440 * MINUTE;
    expect(boundaryAt(Date.UTC(2026, 2, 29, 3), daily)).toBe(Date.UTC(2026, 2, 29));
  });

  test("a paused definition is not due at all", () => {
    expect(nextDue(scheduled({ isPaused: true }), at(noon))).toBeNull();
  });

  test("a definition that never ticked is due at the next boundary", () => {
    expect(nextDue(scheduled(), at(noon + 1))).toBe(noon + 10 * MINUTE);
    expect(nextDue(scheduled(), at(noon))).toBe(noon);
  });

  test("after a tick the next is one period later", () => {
    const last = scheduled({ lastScheduledFor: noon });
    expect(nextDue(last, at(noon + 3 * MINUTE))).toBe(noon + 10 * MINUTE);
    expect(nextDue(last, at(noon + 10 * MINUTE))).toBe(noon + 10 * MINUTE);
  });

  test("after downtime only the newest missed boundary is made up for", () => {
    const last = scheduled({ lastScheduledFor: noon });
    const now = noon + 75 * MINUTE;
    expect(nextDue(last, at(now))).toBe(noon + 70 * MINUTE);
  });

  test("a definition that skips missed ticks waits for the next boundary", () => {
    const last = scheduled({ lastScheduledFor: noon, template: { catchUp: "skip" } });
    const now = noon + 75 * MINUTE;
    expect(nextDue(last, at(now))).toBe(noon + 80 * MINUTE);
  });

  test("a tick that is merely late on a running node is not a missed one", () => {
    const last = scheduled({ lastScheduledFor: noon, template: { catchUp: "skip" } });
    const startedAt = noon - 60 * MINUTE;
    expect(nextDue(last, at(noon + 10 * MINUTE + 40, startedAt))).toBe(noon + 10 * MINUTE);
  });

  test("a changed period counts from the next boundary of the new period", () => {
    const last = scheduled({
      lastScheduledFor: noon + 10 * MINUTE,
      template: { periodMinutes: 60 },
    });
    expect(nextDue(last, at(noon + 12 * MINUTE))).toBe(noon + 60 * MINUTE);
  });

  test("a clock that jumped back repeats no boundary", () => {
    const last = scheduled({ lastScheduledFor: noon });
    expect(nextDue(last, at(noon - 60 * MINUTE))).toBe(noon + 10 * MINUTE);
  });

  describe("with a period shorter than its bars", () => {
    const day = 1_440 * MINUTE;
    const midnight = Date.UTC(2026, 10, 21);

    test("it is due once per bar", () => {
      const last = scheduled({ lastScheduledFor: midnight });
      expect(nextDue(last, at(midnight), day)).toBe(midnight + day);
      expect(nextDue(last, at(noon), day)).toBe(midnight + day);
      expect(newestBoundary(last.definition, midnight + day, day)).toBe(midnight + day);
    });

    test("a new one waits for the next bar, unless one closes now", () => {
      expect(nextDue(scheduled(), at(noon), day)).toBe(midnight + day);
      expect(nextDue(scheduled(), at(midnight), day)).toBe(midnight);
    });

    test("it is due at the first boundary of its period after the bar", () => {
      const template = { periodMinutes: 40 };
      const last = scheduled({ lastScheduledFor: noon, template });
      const dues = [noon];
      for (let now = noon; dues.length < 4; now = dues.at(-1) ?? NaN) {
        const due = nextDue({ ...last, lastScheduledFor: now }, at(now), 60 * MINUTE);
        expect(newestBoundary(last.definition, due ?? NaN, 60 * MINUTE)).toBe(due);
        dues.push(due ?? NaN);
      }
      expect(dues.map((due) => (due - noon) / MINUTE)).toEqual([0, 80, 120, 200]);
    });

    test("after downtime the newest bar is made up for, and no other", () => {
      const last = scheduled({ lastScheduledFor: midnight - 9 * day });
      expect(nextDue(last, at(noon), day)).toBe(midnight);
      const skipping = scheduled({
        lastScheduledFor: midnight - 9 * day,
        template: { catchUp: "skip" },
      });
      expect(nextDue(skipping, at(noon), day)).toBe(midnight + day);
    });

    test("bars that come as often as it looks, or more often, change nothing", () => {
      const last = scheduled({ lastScheduledFor: noon });
      expect(nextDue(last, at(noon), 10 * MINUTE)).toBe(noon + 10 * MINUTE);
      expect(nextDue(last, at(noon), MINUTE)).toBe(noon + 10 * MINUTE);
    });
  });

  test("an inactive definition and one without strategies are never due", () => {
    expect(nextDue(scheduled({ template: { isActive: false } }), at(noon))).toBeNull();
    expect(nextDue(scheduled({ members: 0 }), at(noon))).toBeNull();
  });
});
