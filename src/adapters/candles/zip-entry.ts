// Finds the one file of a zip archive by its central directory, the only part of the format that is
// always right: local headers may leave the sizes out.
import { open, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { fileError } from "./file-problem.ts";

/** Where the bytes of the entry are, and what they must become. */
export interface ZipEntry {
  name: string;
  /** First byte of the data, and the first one after it. */
  start: number;
  end: number;
  isDeflated: boolean;
  /** Of the unpacked bytes. */
  size: number;
  crc: number;
}

interface DirectoryEntry {
  name: string;
  flags: number;
  method: number;
  crc: number;
  packed: number;
  size: number;
  headerAt: number;
}

const END_SIGNATURE = 0x06_05_4b_50;
const ENTRY_SIGNATURE = 0x02_01_4b_50;
const LOCAL_SIGNATURE = 0x04_03_4b_50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
/** The end record is followed by a comment of at most 65 535 bytes. */
const TAIL_BYTES = END_BYTES + 65_535;
/** More than this is no archive of one file. */
const MOST_DIRECTORY_BYTES = 1_048_576;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
/** Sizes that do not fit stand in an extension of the format. */
const ZIP64 = 0xff_ff_ff_ff;

/** @throws InvalidInputError INVALID_DATA_FILE unless the archive holds exactly one readable file. */
export async function findZipEntry(path: string): Promise<ZipEntry> {
  const file = basename(path);
  await using handle = await open(path);
  const entries = (await readDirectory(handle, file)).filter(({ name }) => isData(name));
  if (entries.some(({ name }) => name === "[Content_Types].xml")) {
    throw fileError(file, "an Excel workbook", "save the sheet as CSV");
  }
  const [entry, another] = entries;
  if (entry === undefined || another !== undefined) {
    throw fileError(
      file,
      `expected an archive of one file, was of ${entries.length}`,
      "unpack it and give the files, or their folder",
    );
  }
  return await locate(handle, file, entry);
}

const isData = (name: string): boolean => !name.endsWith("/") && !name.startsWith("__MACOSX/");

async function readDirectory(handle: FileHandle, file: string): Promise<DirectoryEntry[]> {
  const { size } = await handle.stat();
  const tail = await bytesAt(handle, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  const endAt = lastSignature(tail);
  if (endAt === -1) throw damaged(file, "it has no directory of its files");
  const length = tail.readUInt32LE(endAt + 12);
  const start = tail.readUInt32LE(endAt + 16);
  if (start === ZIP64) throw fileError(file, "larger than 4 GB", "unpack it first");
  if (length > MOST_DIRECTORY_BYTES) {
    throw fileError(file, "expected an archive of one file", "unpack it and give the files");
  }
  return entriesOf(await bytesAt(handle, start, length));
}

function lastSignature(tail: Buffer): number {
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === END_SIGNATURE) return at;
  }
  return -1;
}

function entriesOf(directory: Buffer): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (at + ENTRY_BYTES <= directory.length && directory.readUInt32LE(at) === ENTRY_SIGNATURE) {
    const nameBytes = directory.readUInt16LE(at + 28);
    const nameAt = at + ENTRY_BYTES;
    entries.push({
      name: directory.toString("utf8", nameAt, nameAt + nameBytes),
      flags: directory.readUInt16LE(at + 8),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      headerAt: directory.readUInt32LE(at + 42),
    });
    at = nameAt + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function locate(handle: FileHandle, file: string, entry: DirectoryEntry): Promise<ZipEntry> {
  const { name, flags, method, crc, packed, size, headerAt } = entry;
  if ((flags & ENCRYPTED) !== 0) throw fileError(file, "has a password", "unpack it first");
  if (method !== STORED && method !== DEFLATED) {
    throw fileError(file, `packed by a method (${method}) not known here`, "unpack it first");
  }
  if (packed === ZIP64 || size === ZIP64) throw fileError(file, "larger than 4 GB", "unpack it");
  const header = await bytesAt(handle, headerAt, LOCAL_BYTES);
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw damaged(file, "its file is not where its directory says");
  }
  const start = headerAt + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  return { name, start, end: start + packed, isDeflated: method === DEFLATED, size, crc };
}

async function bytesAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

const damaged = (file: string, problem: string) =>
  fileError(file, `a damaged zip archive: ${problem}`, "download it again");
