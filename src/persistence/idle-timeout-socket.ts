import { Socket } from "node:net";

/**
 * A connection on which nothing arrives or leaves for so long is taken for dead: a peer that vanished
 * without a word (a firewall that forgot it, a machine that lost power) would be waited for up to a
 * quarter of an hour. Idle ones the pool has closed long before. `isPatient`: now it may take longer.
 */
export function idleTimeoutSocket(limitMs: number, isPatient: () => boolean): Socket {
  const socket = new Socket();
  socket.setTimeout(limitMs, () => {
    if (isPatient()) return;
    socket.destroy(new Error(`no answer from the database for ${limitMs / 1000} s`));
  });
  return socket;
}
