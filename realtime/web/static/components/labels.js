// Where the names at the right end of lines go: in the order of the lines, never over one another.

/** Places for labels that want to be at `wanted` (px), at least `gap` apart, between `top` and `bottom`. */
export function placeLabels(wanted, { gap, top, bottom }) {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b] || a - b);
  const places = new Array(wanted.length);
  let next = top;
  for (const index of order) {
    places[index] = Math.max(next, Math.min(bottom, wanted[index]));
    next = places[index] + gap;
  }
  // What went over the bottom is pushed up again, as little as possible.
  let limit = bottom;
  for (const index of [...order].reverse()) {
    if (places[index] <= limit) break;
    places[index] = limit;
    limit -= gap;
  }
  return places;
}
