/**
 * Checks what came over the wire against its schema, and gives back exactly what the schema names:
 * fields nobody knows are left out, fields left out get their defaults.
 *
 * It knows the small part of JSON Schema that p2pcdn/wire/schema.py writes, and fails closed: what
 * no rule here allows is refused. A fraction that is whole (`1.0`) is an integer, as in JSON Schema.
 */

import { RemoteError } from "../errors";

export interface Schema {
  /** The name of another schema. */
  readonly $ref?: string;
  /** Schemas by the `type` of the message. */
  readonly discriminator?: Readonly<Record<string, string>>;
  /** Fields; one without a default is required. */
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly maxItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** In characters, not UTF-16 units. */
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly default?: unknown;
}

type Schemas = Readonly<Record<string, Schema>>;

/** What `schema` names of `value`; a `RemoteError` that says where it is wrong. */
export function check(schemas: Schemas, schema: Schema | undefined, value: unknown, at = "$"): unknown {
  if (schema?.$ref !== undefined) return check(schemas, own(schemas, schema.$ref), value, at);
  if (schema?.discriminator) {
    const name = isObject(value) && own(schema.discriminator, own(value, "type"));
    return check(schemas, own(schemas, name), value, at);
  }
  if (schema?.properties) return fields(schemas, schema.properties, value, at);
  if (schema?.prefixItems ?? schema?.items) return list(schemas, schema, value, at);
  if (schema?.anyOf) {
    // Here only ever "this or null".
    const option = schema.anyOf.find(({ type }) => (type === "null") === (value === null));
    return check(schemas, option, value, at);
  }
  if (!schema || !allows(schema, value)) throw new RemoteError("malformed", at);
  return value;
}

function fields(schemas: Schemas, properties: Schemas, value: unknown, at: string): unknown {
  if (!isObject(value)) throw new RemoteError("malformed", at);
  const result: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(properties)) {
    const found = own(value, name);
    const missing = found === undefined && "default" in schema;
    result[name] = missing ? schema.default : check(schemas, schema, found, `${at}.${name}`);
  }
  return result;
}

function list(schemas: Schemas, schema: Schema, value: unknown, at: string): unknown {
  const { items, prefixItems, maxItems = Infinity } = schema;
  const fits = (length: number): boolean =>
    prefixItems ? length === prefixItems.length : length <= maxItems;
  if (!Array.isArray(value) || !fits(value.length)) throw new RemoteError("malformed", at);
  return value.map((item, i) => check(schemas, prefixItems?.[i] ?? items, item, `${at}[${i}]`));
}

function allows(schema: Schema, value: unknown): boolean {
  if (schema.enum) return schema.enum.includes(value);
  switch (schema.type) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string" && allowsText(schema, value);
    case "integer":
      return Number.isInteger(value) && allowsNumber(schema, value as number);
    case "number":
      return typeof value === "number" && allowsNumber(schema, value);
    default:
      return false;
  }
}

function allowsNumber({ minimum = -Infinity, maximum = Infinity }: Schema, value: number): boolean {
  return Number.isFinite(value) && value >= minimum && value <= maximum;
}

function allowsText({ maxLength = Infinity, pattern = "" }: Schema, value: string): boolean {
  const short = value.length <= maxLength || Array.from(value).length <= maxLength;
  // Half of a surrogate pair is no character, and has no UTF-8 bytes to sign or send on.
  return short && !/\p{Surrogate}/u.test(value) && new RegExp(pattern, "u").test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the object itself has under this name, and never what it inherits. */
function own<T>(object: Readonly<Record<string, T>>, name: unknown): T | undefined {
  return typeof name === "string" && Object.hasOwn(object, name) ? object[name] : undefined;
}
