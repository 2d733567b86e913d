import { spawn } from "node:child_process";

/**
 * Kills process `pid` when this process is killed in a way it cannot handle: a shell that waits for
 * the end of a pipe which only this process holds open. Returns how to send it home.
 */
export function watchOver(pid: number): () => void {
  const shell = spawn("sh", ["-c", 'read -r done && exit 0; kill -9 "$1"', "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    // In its own process group, so that Ctrl-C does not end it before its work.
    detached: true,
  });
  shell.unref();
  process.once("disconnect", endWithRunner);
  return () => {
    process.off("disconnect", endWithRunner);
    shell.stdin.end("done\n");
  };
}

/** A worker whose test runner was killed reports to nobody, and would start processes for minutes. */
function endWithRunner(): void {
  process.kill(process.pid, "SIGKILL");
}
