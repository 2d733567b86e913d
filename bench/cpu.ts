import { readdirSync, readFileSync } from "node:fs";

const MICROSECONDS_PER_TICK = 10_000;

/** Processor time used so far, µs: by this process, and by a server's processes where we can see them. */
export interface CpuTime {
  client: number;
  server: number | null;
}

/** Reads both clocks; `postmaster` is the process id of a PostgreSQL on this machine (Linux only). */
export function readCpu(postmaster: number | null): CpuTime {
  const { user, system } = process.cpuUsage();
  return { client: user + system, server: postmaster === null ? null : serverTime(postmaster) };
}

export function cpuSince(before: CpuTime, now: CpuTime): CpuTime {
  return {
    client: now.client - before.client,
    server: now.server === null || before.server === null ? null : now.server - before.server,
  };
}

function serverTime(postmaster: number): number | null {
  try {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => timeOf(Number(pid), postmaster)).reduce((sum, time) => sum + time, 0);
  } catch {
    return null;
  }
}

/** Of one backend, and of those that ended for their parent; 0 for whatever is no child of it. */
function timeOf(pid: number, postmaster: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name in parentheses: state, parent, …; then user, system, and both of ended children.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (pid !== postmaster && Number(fields[1]) !== postmaster) return 0;
    const times = fields.slice(11, pid === postmaster ? 15 : 13).map(Number);
    return times.reduce((sum, time) => sum + time, 0) * MICROSECONDS_PER_TICK;
  } catch {
    return 0;
  }
}
