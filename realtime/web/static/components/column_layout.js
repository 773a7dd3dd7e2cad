// Which columns of a table fit, so that no number is ever cut.

export const COMPACT_CHARS = 10; // `−998.77 B`

const PADDING_PX = 24;
const EDGE_PX = 12; // more for the first and last column
const NAME_MIN_PX = 150;
const NAME_MAX_CHARS = 24;

/**
 * The columns that fit into a width, and whether money must be in larger units for that.
 *
 * A column has `key`, `rank` (0 never leaves; the highest leaves first), `isMoney` and the `chars`
 * of its longest value. The first column takes what is left.
 */
export function fitColumns(columns, { widthPx, charPx }) {
  const [name, ...numbers] = columns;
  const widthOf = (column, isCompact) =>
    Math.max(Math.ceil((isCompact && column.isMoney ? Math.min(column.chars, COMPACT_CHARS) : column.chars) * charPx), column.headPx ?? 0) + PADDING_PX;
  const total = (shown, isCompact) => NAME_MIN_PX + EDGE_PX * 2 + shown.reduce((all, column) => all + widthOf(column, isCompact), 0);
  const required = numbers.filter(({ rank }) => rank === 0);
  const isCompact = total(required, false) > widthPx;
  let shown = numbers;
  while (total(shown, isCompact) > widthPx && shown.length > required.length) {
    const rank = Math.max(...shown.map((column) => column.rank));
    const last = shown.findLast((column) => column.rank === rank);
    shown = shown.filter((column) => column !== last);
  }
  const widths = Object.fromEntries(shown.map((column) => [column.key, widthOf(column, isCompact)]));
  const left = widthPx - Object.values(widths).reduce((all, width) => all + width, 0) - EDGE_PX * 2 - PADDING_PX;
  const labelChars = Math.max(8, Math.min(NAME_MAX_CHARS, Math.floor(left / charPx)));
  return { keys: [name.key, ...shown.map(({ key }) => key)], widths, isCompact, labelChars };
}

/** The same for a phone, where a row is two lines: a name and one number on the first. */
export function fitPhone(chars, { widthPx, charPx }) {
  const minLabelChars = 10;
  const room = Math.floor((widthPx - 44) / charPx);
  const isCompact = chars + minLabelChars > room;
  const number = isCompact ? Math.min(chars, COMPACT_CHARS) : chars;
  return { isCompact, labelChars: Math.max(6, Math.min(NAME_MAX_CHARS, room - number - 1)) };
}
