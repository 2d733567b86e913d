import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "#support/random.ts";
import type { TcpProxy } from "#support/tcp-proxy.ts";

interface NetworkFault {
  /** Afterwards the network is good again. */
  breakIt(proxy: TcpProxy): Promise<void>;
  /** Only in the long version. */
  isLong?: boolean;
}

export const NETWORK_FAULTS: Readonly<Record<string, NetworkFault>> = {
  "every connection is cut, five times at random moments": {
    breakIt: (proxy) => cutOften(proxy, 5),
  },
  "every connection is cut, a hundred times at random moments": {
    breakIt: (proxy) => cutOften(proxy, 100),
    isLong: true,
  },
  "every byte comes 200 ms late, in both directions": {
    async breakIt(proxy) {
      proxy.delay(200);
      await sleep(20_000);
      await proxy.heal();
    },
    isLong: true,
  },
  "nothing comes through for three seconds": {
    breakIt: (proxy) => beBlackHole(proxy, 3_000),
  },
  "nothing comes through for forty seconds": {
    breakIt: (proxy) => beBlackHole(proxy, 40_000),
    isLong: true,
  },
  "all connections fall silent for ever, new ones work": {
    async breakIt(proxy) {
      proxy.strand();
    },
    isLong: true,
  },
  "nobody can connect for thirty seconds": {
    async breakIt(proxy) {
      proxy.refuse();
      proxy.cut("reset");
      await sleep(30_000);
      await proxy.heal();
    },
    isLong: true,
  },
};

async function beBlackHole(proxy: TcpProxy, ms: number): Promise<void> {
  proxy.blackHole();
  await sleep(ms);
  await proxy.heal();
}

async function cutOften(proxy: TcpProxy, times: number): Promise<void> {
  const random = seededRandom(times);
  for (let cut = 0; cut < times; cut += 1) {
    await sleep(random() * 300);
    proxy.cut(random() < 0.5 ? "end" : "reset");
  }
}
