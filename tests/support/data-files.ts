import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";

export interface DataFolder extends AsyncDisposable {
  path: string;
  /** The path of one of its files. */
  of: (name: string) => string;
}

/** A folder with these files, gone at the end of its scope. */
export async function dataFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), "troupe-data-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return {
    path,
    of: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export const HEADER = "timestamp_ms,open,high,low,close,volume";
/** 2025-01-01T00:00:00Z */
export const NEW_YEAR = Date.UTC(2025, 0, 1);
export const MINUTE_MS = 60_000;

/** Lines of bars that open at these instants, below the header. */
export function barsAt(instants: readonly (number | string)[], header = HEADER): string {
  return [header, ...instants.map((at) => `${at},10,12,9,11,3.5`), ""].join("\n");
}

/** So many minutes from 2025 on. */
export const minutes = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => NEW_YEAR + index * MINUTE_MS);

/** A zip archive of these files, as any program would write it. */
export function zipOf(files: Readonly<Record<string, string>>, deflate = true): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    const packed = deflate ? deflateRawSync(content) : content;
    const known = { method: deflate ? 8 : 0, crc: crc32(content), packed, size: content.length };
    const local = Buffer.concat([zipHeader(name, known, null), Buffer.from(name), packed]);
    directory.push(zipHeader(name, known, at), Buffer.from(name));
    parts.push(local);
    at += local.length;
  }
  const listed = Buffer.concat(directory);
  return Buffer.concat([...parts, listed, zipEnd(Object.keys(files).length, listed.length, at)]);
}

interface Packed {
  method: number;
  crc: number;
  packed: Buffer;
  size: number;
}

/** The header before a file (`at` null), or its entry in the directory. */
function zipHeader(name: string, file: Packed, at: number | null): Buffer {
  const isLocal = at === null;
  const header = Buffer.alloc(isLocal ? 30 : 46);
  const shift = isLocal ? 0 : 2;
  header.writeUInt32LE(isLocal ? 0x04034b50 : 0x02014b50, 0);
  header.writeUInt16LE(file.method, 8 + shift);
  header.writeUInt32LE(file.crc, 14 + shift);
  header.writeUInt32LE(file.packed.length, 18 + shift);
  header.writeUInt32LE(file.size, 22 + shift);
  header.writeUInt16LE(Buffer.byteLength(name), 26 + shift);
  if (at !== null) header.writeUInt32LE(at, 42);
  return header;
}

function zipEnd(count: number, length: number, at: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(at, 16);
  return end;
}
