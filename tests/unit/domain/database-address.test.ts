import { describe, expect, test } from "vitest";
import { readDatabaseAddress } from "#domain/database-address.ts";

const BASE = "postgres://trader@db.example:5433/troupe";

describe("a database address", () => {
  test("names host, port, user and database, percent-encoded where need be", () => {
    const address = readDatabaseAddress("postgresql://a%40b:s%2Fecret@[::1]/my%20db");
    expect(address).toMatchObject({
      host: "::1",
      port: 5432,
      user: "a@b",
      password: "s/ecret",
      database: "my db",
      tls: null,
      options: null,
      schema: null,
      applicationName: "troupe",
    });
  });

  test("may be the folder of a Unix socket", () => {
    expect(readDatabaseAddress("postgres://trader@%2Frun%2Fpg/troupe").host).toBe("/run/pg");
    expect(readDatabaseAddress("postgres://trader@/troupe?host=/run/pg").host).toBe("/run/pg");
  });

  test("chooses a schema by its name, a search path, or options of the session", () => {
    expect(readDatabaseAddress(`${BASE}?schema=one`)).toMatchObject({
      options: "-c search_path=one",
      schema: "one",
    });
    expect(readDatabaseAddress(`${BASE}?search_path=one,%20two`).options).toBe(
      String.raw`-c search_path=one,\ two`,
    );
    expect(
      readDatabaseAddress(`${BASE}?options=-c%20statement_timeout=9s&schema=one`).options,
    ).toBe("-c statement_timeout=9s -c search_path=one");
  });

  test("with a root certificate of its own, require means that it is checked", () => {
    const address = readDatabaseAddress(`${BASE}?sslmode=require&sslrootcert=/root.crt`);
    expect(address).toMatchObject({ tls: "verify-ca", tlsFiles: { rootCertificate: "/root.crt" } });
  });

  test.for([
    ["postgres://", "was without a host"],
    ["postgres:///troupe", "was without a host"],
    ["postgres://db.example/troupe", "was without a user"],
    ["postgres://trader@db.example", "was without a database"],
    ["postgres://trader@db.example/", "was without a database"],
    ["postgres://trader@one,two/troupe", "expected one host"],
    ["mysql://trader@db.example/troupe", "expected postgres://user@host:port/database"],
    ["db.example", "expected postgres://user@host:port/database"],
    ["postgres://trader:%zz@db.example/troupe", 'expected "%" in the password as %25'],
    ["postgres://trader:a%00b@db.example/troupe", "expected no NUL in the password"],
    ["postgres://trader:a#b@db.example/troupe", "expected postgres://user@host:port/database"],
    [`${BASE}#x`, 'expected no "#"'],
  ])("%s is refused", ([url, why]) => {
    expect(() => readDatabaseAddress(url ?? "")).toThrow(why);
  });

  test.for([
    ["sslmode=prefer", "sslmode: prefer may go on in clear text"],
    ["sslmode=allow", "sslmode: allow may go on in clear text"],
    ["sslmode=yes", "sslmode: expected disable, require"],
    ["ssl=true&sslmode=disable", "ssl and sslmode: expected one"],
    ["ssl=maybe", "ssl: expected true or false"],
    ["sslrootcert=/root.crt", "sslrootcert: expected an sslmode with TLS too"],
    ["sslmode=disable&sslkey=/key", "sslkey: expected an sslmode with TLS too"],
    ["sslmode=require&sslkey=/key", "sslcert and sslkey: expected both or neither"],
    ["sslnegotiation=direct", "sslnegotiation: direct needs an sslmode with TLS too"],
    ["sslmode=require&sslmode=disable", "sslmode: expected once"],
    ["channel_binding=require", "channel_binding: it cannot be demanded"],
    ["pgbouncer=true", "pgbouncer: not known here; known are application_name"],
    ["schema=", "schema: expected a value"],
    ["schema=Mixed", "expected a schema of at most 43 lower-case letters"],
    ["schema=one&search_path=two", "expected one of them to name the schema"],
    ["schema=one&options=-c%20search_path=two", "expected one of them to name the schema"],
    ["connect_timeout=0", "connect_timeout: expected whole seconds"],
    ["host=db2.example", "host: expected one host"],
  ])("%s is refused by name", ([query, why]) => {
    expect(() => readDatabaseAddress(`${BASE}?${query}`)).toThrow(why);
  });

  test("is never quoted by a refusal, for it may hold a password", () => {
    const secret = "postgres://trader:geheim@one,two/troupe?sslmode=prefer";
    expect(() => readDatabaseAddress(secret)).toThrow(expect.not.stringContaining("geheim"));
  });
});
