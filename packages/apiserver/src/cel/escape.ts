// Names of fields that are no CEL identifiers are escaped in rules: `__namespace__`, `a__dash__b`.
// Source: k8s.io/apiserver/pkg/cel/escaping.go

const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);
const SYMBOLS: Readonly<Record<string, string>> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };

/** The name by which a rule selects a field; undefined when no rule can. */
export function escapeField(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replaceAll(/__|[.\-/]/g, (symbol) => SYMBOLS[symbol] ?? symbol);
}
