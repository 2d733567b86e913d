// The text of a data file piece by piece, whatever it is packed and encoded in. No more of it is in
// memory than one piece.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { TextDecoder } from "node:util";
import { crc32, createGunzip, createInflateRaw } from "node:zlib";
import { DomainError, errorMessage } from "#domain/errors.ts";
import { fileError, unreadable } from "./file-problem.ts";
import { findZipEntry, type ZipEntry } from "./zip-entry.ts";

const PIECE_BYTES = 262_144;
/** Enough to tell what a file is. */
const HEAD_BYTES = 16;

/** What candle data comes in that is not text, by its first bytes. */
const FORMATS: readonly [magic: string, name: string, fix: string][] = [
  ["fd377a585a00", "compressed with xz", "unpack it, or pack it with gzip"],
  ["425a68", "compressed with bzip2", "unpack it, or pack it with gzip"],
  ["28b52ffd", "compressed with zstd", "unpack it, or pack it with gzip"],
  ["04224d18", "compressed with lz4", "unpack it, or pack it with gzip"],
  ["377abcaf271c", "a 7-Zip archive", "unpack it, or pack it with gzip"],
  ["526172211a07", "a RAR archive", "unpack it, or pack it with gzip"],
  ["50415231", "a Parquet file", "save it as CSV"],
  ["4152524f5731", "an Arrow or Feather file", "save it as CSV"],
  ["d0cf11e0a1b11ae1", "an Excel workbook", "save the sheet as CSV"],
  ["53514c69746520666f726d6174", "a SQLite database", "save its table as CSV"],
  ["255044462d", "a PDF document", "save the data as CSV"],
];

/** @throws InvalidInputError INVALID_DATA_FILE when it cannot be read, is damaged, or is no text. */
export async function* textOf(path: string): AsyncGenerator<string> {
  const file = basename(path);
  try {
    yield* decoded(file, unpacked(path, await headOf(path)));
  } catch (error) {
    if (error instanceof DomainError) throw error;
    if (isPackingError(error)) {
      const problem = `a damaged archive (${errorMessage(error)})`;
      throw fileError(file, problem, "download it again");
    }
    throw unreadable(path, error);
  }
}

async function headOf(path: string): Promise<string> {
  await using handle = await open(path);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return buffer.toString("hex", 0, bytesRead);
}

async function* unpacked(path: string, head: string): AsyncGenerator<Buffer> {
  if (head.startsWith("1f8b")) {
    yield* through(createReadStream(path), createGunzip({ chunkSize: PIECE_BYTES }));
    return;
  }
  if (head.startsWith("504b0304") || head.startsWith("504b0506")) {
    yield* zipped(path, await findZipEntry(path));
    return;
  }
  const [, name, fix] = FORMATS.find(([magic]) => head.startsWith(magic)) ?? [];
  if (name !== undefined && fix !== undefined) throw fileError(basename(path), name, fix);
  yield* through(createReadStream(path, { highWaterMark: PIECE_BYTES }));
}

async function* zipped(path: string, entry: ZipEntry): AsyncGenerator<Buffer> {
  const { start, end, isDeflated } = entry;
  let [size, crc] = [0, 0];
  if (end > start) {
    const bytes = createReadStream(path, { start, end: end - 1 });
    const unpacking = isDeflated ? [createInflateRaw({ chunkSize: PIECE_BYTES })] : [];
    for await (const piece of through(bytes, ...unpacking)) {
      size += piece.length;
      crc = crc32(piece, crc);
      yield piece;
    }
  }
  if (size === entry.size && crc === entry.crc) return;
  throw fileError(
    basename(path),
    "a damaged zip archive: its checksum is wrong",
    "download it again",
  );
}

/** Closes all of them when whoever reads stops early. */
async function* through(
  source: Readable,
  unpacking?: Readable & NodeJS.WritableStream,
): AsyncGenerator<Buffer> {
  const last: Readable = unpacking ?? source;
  if (unpacking !== undefined) {
    source.on("error", (error) => unpacking.destroy(error)).pipe(unpacking);
  }
  try {
    for await (const piece of last) yield Buffer.from(piece);
  } finally {
    source.destroy();
    last.destroy();
  }
}

async function* decoded(file: string, pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const piece of pieces) {
    if (decoder === undefined) {
      decoder = new TextDecoder(encodingOf(piece));
      const text = decoder.decode(piece, { stream: true });
      assertText(file, text);
      yield text;
    } else {
      yield decoder.decode(piece, { stream: true });
    }
  }
  if (decoder !== undefined) yield decoder.decode();
}

/** By its mark, or by where the zero bytes of plain letters and digits stand. */
function encodingOf(start: Buffer): "utf-8" | "utf-16le" | "utf-16be" {
  const [first, second] = start;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  if (first === 0 && second !== undefined && second !== 0) return "utf-16be";
  return second === 0 && first !== undefined && first !== 0 ? "utf-16le" : "utf-8";
}

function assertText(file: string, start: string): void {
  if (start.includes("\0")) {
    throw fileError(file, "not a text file", "save it as CSV, plain or packed with gzip or zip");
  }
  const [first] = start.trimStart();
  if (first === "{" || first === "[") {
    throw fileError(file, "JSON, not CSV", "save it as CSV");
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(start)) {
    throw fileError(file, "a web page, not CSV", "download the file itself");
  }
}

const isPackingError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
