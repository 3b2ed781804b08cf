// Markdown tables for docs/reference.

/** A cell's text as a table can hold it. */
function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** A whole page, with the note that nobody should edit it. */
export function page(title: string, source: string, parts: readonly string[]): string {
  return `# ${title}\n\n<!-- Written by \`npm run generate\` from ${source}: change it there. -->\n\n${parts.join('\n\n')}\n`;
}

export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}
