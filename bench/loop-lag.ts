import { monitorEventLoopDelay } from "node:perf_hooks";

const NS_PER_MS = 1_000_000;
/** The monitor's own timer fires at this pace; what it measures beyond is lag. */
const RESOLUTION_MS = 1;

/** How late the event loop was, ms. */
export interface LoopLag {
  p99: number;
  max: number;
}

/** Watches the event loop while `work` runs. */
export async function watchLoop<T>(work: () => Promise<T>): Promise<{ result: T; lag: LoopLag }> {
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  monitor.enable();
  const result = await work();
  monitor.disable();
  const beyond = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  return { result, lag: { p99: beyond(monitor.percentile(99)), max: beyond(monitor.max) } };
}
