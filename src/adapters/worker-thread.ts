import { parentPort, Worker } from "node:worker_threads";
import { InvariantError, errorMessage } from "#domain/errors.ts";

/** A thread of this process that runs a program of its own. */
export interface WorkerThread<Out, In> {
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  onEnd(listener: (reason: string) => void): void;
  terminate(): Promise<void>;
}

/** `data` is what the program finds as its `workerData`. */
export function startThread<Out, In>(program: URL, data: object): WorkerThread<Out, In> {
  const worker = new Worker(program, { workerData: data });
  let failure: string | null = null;
  worker.on("error", (error) => {
    failure = errorMessage(error);
  });
  return {
    send: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on("message", listener),
    onEnd: (listener) =>
      void worker.once("exit", (code) => listener(failure ?? `exit code ${code}`)),
    terminate: async () => void (await worker.terminate()),
  };
}

/** The other side: the thread that started this program. */
export function startedBy<Out, In>(): {
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
} {
  if (parentPort === null) throw new InvariantError("this program runs in a worker thread only");
  const port = parentPort;
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on("message", listener),
  };
}
