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

/** Of one backend; 0 for whatever is no child of the postmaster. */
function timeOf(pid: number, postmaster: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name in parentheses: state, parent, …; user and system time are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const isOurs = pid === postmaster || Number(fields[1]) === postmaster;
    return isOurs ? (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK : 0;
  } catch {
    return 0;
  }
}
