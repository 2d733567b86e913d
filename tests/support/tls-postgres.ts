import { execFileSync } from "node:child_process";
import { chown, copyFile, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type RunningPostgres, startPostgres } from "./embedded-postgres.ts";

export interface TlsPostgres extends AsyncDisposable {
  /** Without any word of TLS, which the server refuses. */
  url: string;
  server: RunningPostgres;
  /** The authority that has signed the server's certificate, for 127.0.0.1. */
  rootCertificate: string;
  /** One that has not. */
  strangeCertificate: string;
}

/** A server that lets nobody in without TLS. */
export async function startTlsPostgres(): Promise<TlsPostgres> {
  const resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "troupe-tls-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const server = resources.use(await startPostgres());
  const signed = selfSigned(folder, "server");
  const strange = selfSigned(folder, "strange");
  const { uid, gid } = await stat(server.dataDir);
  for (const [from, to] of [
    [signed.certificate, "server.crt"],
    [signed.key, "server.key"],
  ] as const) {
    await copyFile(from, join(server.dataDir, to));
    await chown(join(server.dataDir, to), uid, gid);
  }
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query("alter system set ssl = on");
  await writeFile(join(server.dataDir, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 password\n");
  await client.query("select pg_reload_conf()");
  await client.end();
  return {
    url: server.url,
    server,
    rootCertificate: signed.certificate,
    strangeCertificate: strange.certificate,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function selfSigned(folder: string, name: string): { certificate: string; key: string } {
  const certificate = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  const forHost = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const asFiles = ["-nodes", "-keyout", key, "-out", certificate];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...forHost, ...asFiles], { stdio: "pipe" });
  return { certificate, key };
}
